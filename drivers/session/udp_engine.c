/* SPDX-License-Identifier: BSD-3-Clause */
/* See udp_engine.h. */

/* CPU crypto is experimental in 22.11, the only release we build with. */
#define ALLOW_EXPERIMENTAL_API

#include "drivers/session/udp_engine.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>
#include <rte_common.h>
#include <rte_cryptodev.h>
#include <rte_dev.h>

#include "drivers/session/wire/udp_packet.h"

#define DRIVER	  "crypto_aesni_mb"
#define DEVICE	  DRIVER "_patchbay" /* the driver is found by the beginning of the name */
#define BURST	  64u
#define NONCE	  12u
#define TAG	  16u
#define POOL_KEYS 512u /* of 256 sessions, about 0.8 MB: made when they come */
#define POOLS_MAX 32u

/* Control thread only, apart from the id, which is set before any engine exists. */
static struct {
	int id;		/* -1: closed */
	bool no_memory; /* for another pool: not tried, and not logged by DPDK, at each login again */
	unsigned pool_cnt;
	struct rte_mempool *pools[POOLS_MAX];
} engine = {.id = -1};

struct engine_aead {
	struct udp_aead aead;
	void *session;
};

/* ---- running: owner worker ----------------------------------------------------------------------- */

static void run_burst(struct engine_aead *e, bool sealing, struct udp_datagram *d, unsigned n)
{
	struct rte_crypto_vec text[BURST];
	struct rte_crypto_sgl lists[BURST];
	struct rte_crypto_va_iova_ptr nonce[BURST], tag[BURST], aad[BURST];
	int32_t status[BURST];
	struct rte_crypto_sym_vec work = {.num = n,
		.src_sgl = lists,
		.iv = nonce,
		.digest = tag,
		.aad = aad,
		.status = status};
	const union rte_crypto_sym_ofs whole = {.raw = 0};

	for (unsigned i = 0; i < n; i++) {
		uint32_t len = d[i].bytes - NONCE - TAG;

		text[i] = (struct rte_crypto_vec){.base = d[i].data + NONCE, .len = len};
		lists[i] = (struct rte_crypto_sgl){.vec = &text[i], .num = 1};
		nonce[i] = (struct rte_crypto_va_iova_ptr){.va = d[i].data};
		tag[i] = (struct rte_crypto_va_iova_ptr){.va = d[i].data + NONCE + len};
		aad[i] = nonce[i]; /* none: its length is 0 */
		status[i] = -1;
	}
	(void)rte_cryptodev_sym_cpu_crypto_process((uint8_t)engine.id, e->session, whole, &work);
	for (unsigned i = 0; i < n; i++) {
		d[i].ok = status[i] == 0;
		if (sealing && !d[i].ok)
			memset(text[i].base, 0, text[i].len + TAG);
	}
}

static void engine_run(struct udp_aead *aead, bool sealing, struct udp_datagram *d, unsigned n)
{
	struct engine_aead *e = (struct engine_aead *)aead; /* its first member */

	for (unsigned at = 0; at < n; at += BURST)
		run_burst(e, sealing, d + at, RTE_MIN(n - at, BURST));
}

/* ---- life: control thread ------------------------------------------------------------------------ */

static void engine_destroy(struct udp_aead *aead)
{
	struct engine_aead *e = (struct engine_aead *)aead;
	uint32_t bytes = rte_mempool_from_obj(e->session)->elt_size;

	/* Nobody else takes from these pools, so what has gone back can still be wiped. */
	if (engine.id >= 0)
		(void)rte_cryptodev_sym_session_free((uint8_t)engine.id, e->session);
	OPENSSL_cleanse(e->session, bytes);
	free(e);
}

/* A driver's session with room for a key; NULL: no memory. */
static void *session_new(struct rte_crypto_sym_xform *xform)
{
	char name[RTE_MEMPOOL_NAMESIZE];
	struct rte_mempool *pool;
	void *session;

	for (unsigned i = engine.pool_cnt; i-- > 0;) {
		session = rte_mempool_empty(engine.pools[i])
			? NULL
			: rte_cryptodev_sym_session_create(
				  (uint8_t)engine.id, xform, engine.pools[i]);
		if (session != NULL)
			return session;
	}
	if (engine.pool_cnt == POOLS_MAX || engine.no_memory)
		return NULL;
	snprintf(name, sizeof(name), "udp_keys_%u", engine.pool_cnt);
	pool = rte_cryptodev_sym_session_pool_create(name, POOL_KEYS,
		rte_cryptodev_sym_get_private_session_size((uint8_t)engine.id), 0, 0,
		SOCKET_ID_ANY);
	engine.no_memory = pool == NULL;
	if (pool == NULL)
		return NULL;
	engine.pools[engine.pool_cnt++] = pool;
	return rte_cryptodev_sym_session_create((uint8_t)engine.id, xform, pool);
}

struct udp_aead *udp_engine_create(const uint8_t *key, bool sealing)
{
	struct rte_crypto_sym_xform xform = {.type = RTE_CRYPTO_SYM_XFORM_AEAD,
		.aead = {.op = sealing ? RTE_CRYPTO_AEAD_OP_ENCRYPT : RTE_CRYPTO_AEAD_OP_DECRYPT,
			.algo = RTE_CRYPTO_AEAD_CHACHA20_POLY1305,
			.key = {.data = key, .length = UDP_PACKET_KEY_V2},
			.iv = {.length = NONCE},
			.digest_length = TAG}};
	struct engine_aead *e;

	if (engine.id < 0)
		return NULL;
	e = calloc(1, sizeof(*e));
	if (e == NULL)
		return NULL;
	e->aead = (struct udp_aead){.run = engine_run, .destroy = engine_destroy};
	e->session = session_new(&xform);
	if (e->session == NULL) {
		free(e);
		return NULL;
	}
	return &e->aead;
}

/* The driver makes no session before a queue exists, though these sessions use none. */
static int device_start(uint8_t id)
{
	struct rte_cryptodev_config config = {.socket_id = SOCKET_ID_ANY, .nb_queue_pairs = 1};
	struct rte_cryptodev_qp_conf queue = {.nb_descriptors = 64};
	struct rte_cryptodev_sym_capability_idx chacha = {
		.type = RTE_CRYPTO_SYM_XFORM_AEAD, .algo.aead = RTE_CRYPTO_AEAD_CHACHA20_POLY1305};
	struct rte_cryptodev_info info;
	int rc;

	rte_cryptodev_info_get(id, &info);
	if (!(info.feature_flags & RTE_CRYPTODEV_FF_SYM_CPU_CRYPTO) ||
		rte_cryptodev_sym_capability_get(id, &chacha) == NULL)
		return -ENOTSUP;
	rc = rte_cryptodev_configure(id, &config);
	if (rc == 0)
		rc = rte_cryptodev_queue_pair_setup(id, 0, &queue, SOCKET_ID_ANY);
	return rc == 0 ? rte_cryptodev_start(id) : rc;
}

int udp_engine_open(void)
{
	int rc = rte_dev_probe(DEVICE ",max_nb_queue_pairs=1");
	int id = rte_cryptodev_get_dev_id(DEVICE);

	if (rc < 0 || id < 0)
		return rc < 0 ? rc : -ENODEV;
	rc = device_start((uint8_t)id);
	if (rc < 0)
		(void)rte_eal_hotplug_remove("vdev", DEVICE);
	else
		engine.id = id;
	return rc;
}

void udp_engine_close(void)
{
	if (engine.id < 0)
		return;
	/* A pool with keys that are still to be wiped stays as long as the process. */
	for (unsigned i = 0; i < engine.pool_cnt; i++) {
		if (rte_mempool_full(engine.pools[i]))
			rte_mempool_free(engine.pools[i]);
	}
	rte_cryptodev_stop((uint8_t)engine.id);
	(void)rte_eal_hotplug_remove("vdev", DEVICE);
	engine.id = -1;
	engine.pool_cnt = 0;
	engine.no_memory = false;
}

const char *udp_engine_name(void)
{
	return engine.id >= 0 ? DRIVER : "OpenSSL";
}
