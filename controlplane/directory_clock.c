/* SPDX-License-Identifier: BSD-3-Clause */
/* The directory's calendar, apart, so that tests may have another. */

#include <time.h>

#include "controlplane/directory.h"

int64_t directory_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}
