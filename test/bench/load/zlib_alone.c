/* SPDX-License-Identifier: BSD-3-Clause */
/* See zlib_alone.h. */

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "drivers/session/wire/zblock.h"
#include "test/bench/load/frames.h"
#include "test/bench/load/zlib_alone.h"

#define FRAMES 256u /* different ones, in turn */

static uint8_t packed[FRAMES][OPTIONS_SIZE_MAX + ZBLOCK_GROWTH];
static uint32_t packed_bytes[FRAMES];

static double cpu_s(void)
{
	struct rusage own;

	getrusage(RUSAGE_SELF, &own);
	return (double)(own.ru_utime.tv_sec + own.ru_stime.tv_sec) +
		(double)(own.ru_utime.tv_usec + own.ru_stime.tv_usec) / 1e6;
}

int zlib_alone(const struct options *opt)
{
	uint8_t frame[ZBLOCK_INFLATED_BYTES], out[sizeof(frame) + ZBLOCK_GROWTH];
	struct zblock *z = zblock_create();
	uint64_t bytes = 0, to = 0, frames = 0;
	double begin;

	if (z == NULL)
		return 1;
	frames_init(opt->fill, 1);
	for (uint32_t i = 0; i < FRAMES; i++) {
		unsigned size = opt->sizes[i % opt->size_cnt];

		frames_write(frame, size, 0, 1, STAMP_DATA, 0, i, i * 1000);
		packed_bytes[i] = zblock_deflate(z, frame, size, packed[i]);
	}
	begin = cpu_s();
	while (cpu_s() - begin < opt->seconds) {
		for (unsigned i = 0; i < FRAMES; i++) {
			int size = zblock_inflate(z, packed[i], packed_bytes[i], frame);

			if (size <= 0)
				return 1;
			to += zblock_deflate(z, frame, (uint32_t)size, out);
			bytes += (uint64_t)size;
			frames++;
		}
	}
	printf("{\"cpu_s_per_gb\": %.4f, \"cpu_s_per_million_frames\": %.4f, \"compressed_to\": %.4f}\n",
		(cpu_s() - begin) * 1e9 / (double)bytes, (cpu_s() - begin) * 1e6 / (double)frames,
		(double)to / (double)bytes);
	zblock_destroy(z);
	return 0;
}
