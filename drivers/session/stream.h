/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_DRIVERS_SESSION_STREAM_H
#define PATCHBAY_DRIVERS_SESSION_STREAM_H

/*
 * A connection's byte stream: TLS over a kernel TCP socket, seen as a handful of operations, so that
 * io_uring, kTLS or a userspace stack can take its place, and a raw socket does (wire.md 6.6), without the
 * codec noticing (architecture.md 5.2).
 *
 * OpenSSL never touches the socket: it reads from and writes to buffers of ours through a custom BIO,
 * from the first byte of the connection, with its own read-ahead off (architecture.md 5.3). So one recv
 * takes up to 64 KiB, one send carries several records, the CPU work of a handshake can run on a helper
 * thread that has no socket, what OpenSSL has not taken stays ours when the connection changes threads
 * or drops below TLS, and nothing is hidden inside a library.
 *
 * Big buffers belong to threads, not to streams: every thread that works streams has a `struct
 * stream_io` (scratch for 64 KiB in, some records out, and a cache of park buffers). Between turns a
 * stream is *parked*: it holds only what is unfinished (part of a record in, unsent bytes out), so an
 * idle connection costs OpenSSL's object and little else.
 *
 * One thread at a time owns a stream; ownership moves by message. All calls: the owner only. A call for
 * another stream parks the one whose bytes stand in the scratch; so explicit parking is needed only
 * before a stream changes threads, and at the end of a turn to see its errors.
 *
 * Any call that reads may leave something to send (alert, answer to a KeyUpdate): look at
 * stream_unsent() after reading. TLS is not told of EOF: it shows in stream_fill(), and close_notify can
 * still be made then.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct ssl_ctx_st;
struct ssl_st;
struct stream;
struct stream_io;

#define STREAM_RECV_BYTES   65536u /* one recv */
#define STREAM_RECORD_BYTES 16384u /* plaintext of a full TLS record */

/* A thread's scratch buffers. NULL with ENOMEM. The thread that uses it, or before it starts. */
struct stream_io *stream_io_create(void);
void stream_io_destroy(struct stream_io *io);

/*
 * Server side of a TLS connection on an accepted, non-blocking socket; takes the fd (also on error:
 * closes it). NULL with errno. Sets TCP_NODELAY and TCP_NOTSENT_LOWAT.
 */
struct stream *stream_tls_accept(struct ssl_ctx_st *ctx, int fd);
/* Client side, connected or connecting socket; `sni` verbatim, may be NULL. */
struct stream *stream_tls_connect(struct ssl_ctx_st *ctx, int fd, const char *sni);

/*
 * Advances the handshake with the bytes received so far; what it has to say waits for stream_send().
 * Touches no socket. Returns 0 when complete, -EAGAIN when it needs bytes from the peer, -EPROTO when it
 * failed (an alert may wait to be sent). Parks the stream before it returns, so that any thread may go on.
 */
int stream_handshake(struct stream *s, struct stream_io *io);

/* One recv() into scratch behind what was parked. Bytes received; 0 at EOF; -EAGAIN; -ENOBUFS when the
 * scratch is full of what nobody read; other -errno. */
ssize_t stream_fill(struct stream *s, struct stream_io *io);
/* Bytes received and not yet taken by TLS. A first byte for "is this TLS at all" can be looked at. */
size_t stream_peek(const struct stream *s, const uint8_t **bytes);

/*
 * Plaintext of at most one record. Bytes; -EAGAIN when what was received holds no further whole record; 0
 * after the peer's close_notify; -EPROTO for anything TLS does not allow (also too many KeyUpdates).
 * Give `size` >= STREAM_RECORD_BYTES: what is left of a record otherwise stays inside OpenSSL until the
 * next call.
 */
ssize_t stream_read(struct stream *s, struct stream_io *io, void *buf, size_t size);

/*
 * Leaves TLS behind (wire.md 6.6), once the handshake is complete: what was received behind the last record
 * that was read is data, and so is all that is written from now on; records made before still go first.
 * There is no close_notify any more, and no SSL object. -EPROTO when part of a record was not read (it would
 * be lost). Raw reads give what is there, up to `size`; raw writes are counted and bounded as records are.
 */
int stream_go_raw(struct stream *s);

/*
 * Encrypts `size` <= STREAM_RECORD_BYTES bytes as one record into scratch. 0, -ENOBUFS when two records
 * already wait unsent (send first), -EPROTO. A record once made must be sent: drop before, never after.
 */
int stream_write(struct stream *s, struct stream_io *io, const void *buf, size_t size);
/* One send() of what waits. Bytes that still wait (0 = all gone); -errno when the connection is dead. */
ssize_t stream_send(struct stream *s, struct stream_io *io);
size_t stream_unsent(const struct stream *s);

/* Moves what is unfinished out of the thread's scratch into the stream: before the turn ends, and before
 * the stream goes to another thread. -ENOMEM (close the connection). */
int stream_park(struct stream *s, struct stream_io *io);

/* Queues close_notify behind what waits (once; nothing if the handshake never completed, or when raw). */
void stream_shutdown(struct stream *s, struct stream_io *io);

/* Frees it and closes the socket. Send close_notify and linger first (wire.md 1.2 rule 3): that is the
 * control plane's linger list, to which workers hand streams that they end. NULL is fine. */
void stream_close(struct stream *s);

int stream_fd(const struct stream *s);
struct ssl_st *stream_ssl(
	const struct stream *s); /* for version, cipher, certificate; NULL when raw */
uint64_t stream_bytes_in(const struct stream *s); /* on the wire */
uint64_t stream_bytes_out(const struct stream *s);

#endif
