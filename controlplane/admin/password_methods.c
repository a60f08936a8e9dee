/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The server administrator's password (admin-rpc.md 4.1). It comes as the hash the tools make, or in clear; it
 * never goes anywhere.
 */

#include <errno.h>
#include <string.h>

#include "controlplane/admin/change.h"
#include "controlplane/admin/method_list.h"
#include "controlplane/admin/who.h"
#include "drivers/session/wire/wire_error.h"

static const struct admin_field set_server_password_request[] = {
	ADMIN_DATA("HashedPassword", DIRECTORY_HASH_BYTES, DIRECTORY_HASH_BYTES,
		"SHA-0 of the password"),
	ADMIN_STR("PlainTextPassword", 0, DIRECTORY_NAME_BYTES - 1, "the password itself, instead"),
	ADMIN_END,
};

static const struct admin_field no_response[] = {ADMIN_END};

static int set_begin(struct admin_call *call, struct admin_server_change *st)
{
	const char *plain = admin_get_str(call, "PlainTextPassword");
	struct directory_admin admin = {0};
	const uint8_t *hash;
	size_t size;
	int rc;

	hash = admin_get_data(call, "HashedPassword", &size);
	if (hash == NULL && !admin_has(call, "PlainTextPassword"))
		return admin_fail(call, WIRE_ERROR_INVALID_PARAMETER,
			"give HashedPassword or PlainTextPassword");
	if (plain[0] != '\0' || hash == NULL)
		directory_admin_set_password(&admin, plain);
	else
		directory_admin_set_hashes(&admin, hash, NULL);
	/* It would close the door behind itself. */
	if (!admin.set && call->caller->remote)
		return admin_fail(call, WIRE_ERROR_INVALID_PARAMETER,
			"an empty password ends administration from the network: set it on the "
			"local socket");
	rc = server_change_admin(&admin, &st->change);
	explicit_bzero(&admin, sizeof(admin));
	return rc == 0 || rc == -EBUSY ? ADMIN_WAIT
				       : admin_fail(call, WIRE_ERROR_INTERNAL, "%s", strerror(-rc));
}

static int set_step(struct admin_call *call)
{
	struct admin_server_change *st = call->state;
	int rc = st->change == NULL ? set_begin(call, st) : admin_server_change_wait(call);

	if (rc == ADMIN_DONE)
		admin_who_renew(call->caller->who);
	return rc;
}

const struct admin_method admin_method_set_server_password = {
	.name = "SetServerPassword",
	.role = ADMIN_ROLE_SERVER,
	.effect = ADMIN_EFFECT_STORED,
	.text = "Sets the password of the server's administrator. Those who came in through the network with "
		"the old one have to leave. Empty, on the local socket only: nobody administers from the "
		"network. 38: no or an empty password.",
	.request = set_server_password_request,
	.response = no_response,
	.state_bytes = sizeof(struct admin_server_change),
	.step = set_step,
	.fini = admin_server_change_fini,
};
