/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Included by the compiler (-include) ahead of the MAC table's own files in test builds: calls
 * fdb_at_atomic() before each atomic operation of theirs. Two CPUs never interrupt a thread between two
 * neighbouring loads often enough to test that by chance. The stress test gives up its CPU there now
 * and then, the interleaving test runs something else at a chosen one; the table's files stay what they
 * are in production.
 */
#ifndef PATCHBAY_TEST_UNIT_FDB_HOOK_H
#define PATCHBAY_TEST_UNIT_FDB_HOOK_H

#include <stdatomic.h>
#include <stdbool.h>

/* In the test. `write`: the operation may change the word. */
void fdb_at_atomic(bool write);

#define FDB_PORTABLE_LOOKUP /* fdb.c: in C, not in assembler, so that its loads are met here */

#undef atomic_load
#undef atomic_load_explicit
#undef atomic_store
#undef atomic_compare_exchange_strong
#define atomic_load(p)	   atomic_load_explicit(p, memory_order_seq_cst)
#define atomic_store(p, v) (fdb_at_atomic(true), atomic_store_explicit(p, v, memory_order_seq_cst))
#ifdef __clang__
#define atomic_load_explicit(p, mo) (fdb_at_atomic(false), __c11_atomic_load(p, mo))
#else
#define atomic_load_explicit(p, mo)          \
	__extension__({                      \
		__auto_type p_ = (p);        \
		__typeof__((void)0, *p_) v_; \
		fdb_at_atomic(false);        \
		__atomic_load(p_, &v_, mo);  \
		v_;                          \
	})
#endif
#define atomic_compare_exchange_strong(p, e, v)          \
	(fdb_at_atomic(true),                            \
		atomic_compare_exchange_strong_explicit( \
			p, e, v, memory_order_seq_cst, memory_order_seq_cst))

#endif
