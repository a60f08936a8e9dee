/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Frames that a device keeps in our buffers for good: net_pcap with infinite_rx=1, the generator of
 * scripts/bench switch, loads its files when a queue is set up and refuses a pool that is too small.
 */

#include <stdio.h>
#include <string.h>

#include "drivers/bridge/bridge_priv.h"

#define FILE_HEADER_BYTES   24
#define RECORD_HEADER_BYTES 16
#define PRELOAD_MAX	    (16u << 20)

/* Frames of a pcap file in this machine's byte order; 0 if it is none: the driver will say why. */
static unsigned pcap_frames(const char *path)
{
	uint32_t header[RECORD_HEADER_BYTES / 4], magic = 0;
	unsigned n = 0;
	FILE *f = fopen(path, "rb");

	if (f == NULL)
		return 0;
	if (fread(&magic, sizeof(magic), 1, f) == 1 &&
		(magic == 0xa1b2c3d4 || magic == 0xa1b23c4d) &&
		fseek(f, FILE_HEADER_BYTES, SEEK_SET) == 0) {
		/* header[2]: bytes of the frame that stand in the file. */
		while (n < PRELOAD_MAX && fread(header, sizeof(header), 1, f) == 1 &&
			fseek(f, (long)header[2], SEEK_CUR) == 0)
			n++;
	}
	fclose(f);
	return n;
}

unsigned ethdev_preload(const char *devargs)
{
	char text[BRIDGE_DEVICE_BYTES], *save = NULL, *arg;
	unsigned n = 0;

	if (strncmp(devargs, "net_pcap", 8) != 0 || strstr(devargs, "infinite_rx=1") == NULL)
		return 0;
	snprintf(text, sizeof(text), "%s", devargs);
	for (arg = strtok_r(text, ",", &save); arg != NULL; arg = strtok_r(NULL, ",", &save)) {
		if (strncmp(arg, "rx_pcap=", 8) == 0)
			n += pcap_frames(arg + 8);
	}
	return n;
}
