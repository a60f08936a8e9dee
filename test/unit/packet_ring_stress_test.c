/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The ring of packet records between a worker and the log thread, with a writer and a reader at full speed: every record
 * comes whole, once and in order, or is counted as lost. Without EAL; also under the thread sanitizer.
 *
 * usage: packet_ring_stress_test RECORDS
 */

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "dataplane/lcore.h"
#include "dataplane/packet_log_priv.h"

#define RING_BYTES 65536u /* the smallest there is: full and empty all the time */
#define BATCH	   64u

static uint64_t records, written, lost;
static atomic_bool over;

unsigned lcore_count(void)
{
	return 1;
}

static uint64_t next(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static void fill(struct packet_record *rec, uint64_t serial, uint16_t captured)
{
	rec->captured = captured;
	rec->frame_len = (uint16_t)~captured;
	rec->at_ms = serial;
	for (uint16_t i = 0; i < captured; i++)
		rec->data[i] = (uint8_t)(serial + i);
}

static void *write_all(void *)
{
	struct packet_ring *ring = atomic_load(&packet_rings);
	uint64_t state = 88172645463325252;

	for (uint64_t n = 0; n < records;) {
		for (uint64_t k = next(&state) % BATCH + 1; k > 0 && n < records; k--, n++) {
			/* Headers mostly, and whole frames. */
			uint16_t captured = (uint16_t)(next(&state) % 4 != 0 ? next(&state) % 128
									     : next(&state) % 1515);
			struct packet_record *rec = packet_ring_reserve(ring, captured);

			if (rec == NULL) {
				lost++;
				continue;
			}
			fill(rec, n, captured);
			written++;
		}
		packet_ring_publish(ring);
	}
	atomic_store(&over, true);
	return NULL;
}

static bool is_whole(const struct packet_record *rec)
{
	uint32_t bytes = (uint32_t)(sizeof(*rec) + rec->captured + 15) & ~15u;

	if (rec->bytes != bytes || rec->frame_len != (0xffff & ~rec->captured))
		return false;
	for (uint16_t i = 0; i < rec->captured; i++)
		if (rec->data[i] != (uint8_t)(rec->at_ms + i))
			return false;
	return true;
}

int main(int argc, char **argv)
{
	uint64_t taken = 0, expected = 0, wrong = 0, state = 1234567;
	pthread_t writer;

	records = argc > 1 ? strtoull(argv[1], NULL, 10) : 1000000;
	packet_log_set_ring(RING_BYTES);
	if (packet_log_open() != 0 || pthread_create(&writer, NULL, write_all, NULL) != 0)
		return 1;
	for (bool last = false; !last;) {
		const struct packet_record *rec;
		uint64_t head;

		/* Asked before: what was published until then is taken below. */
		last = atomic_load(&over);
		head = packet_log_head(0);
		while ((rec = packet_log_next(0, head)) != NULL) {
			wrong += !is_whole(rec) || rec->at_ms < expected;
			expected = rec->at_ms + 1;
			taken++;
			/* Sometimes at once, sometimes with the next batch. */
			if (next(&state) % 16 == 0)
				packet_log_release(0);
		}
		packet_log_release(0);
	}
	pthread_join(writer, NULL);
	packet_log_close();
	printf("%llu records: %llu taken, %llu lost, %llu wrong\n", (unsigned long long)records,
		(unsigned long long)taken, (unsigned long long)lost, (unsigned long long)wrong);
	return wrong == 0 && taken == written && written + lost == records && taken > 0 ? 0 : 1;
}
