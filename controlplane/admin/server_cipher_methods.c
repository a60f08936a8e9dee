/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which ciphers TLS may choose from (admin-rpc.md 4.1). The original takes one name and does not look whether there
 * is such a cipher; here it is a list of OpenSSL's names, of TLS 1.3 (TLS_...) and of TLS 1.2, and one that nobody
 * knows is refused, since nobody could connect any more.
 */

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "controlplane/admin/change.h"
#include "controlplane/admin/method_list.h"
#include "controlplane/directory.h"
#include "controlplane/server_tls.h"
#include "controlplane/tls_context.h"
#include "drivers/session/wire/wire_error.h"

#define CFG_CIPHERS "~DEFAULT~" /* the tools' word for none in particular */
#define LIST_BYTES  4096u

static const struct admin_field no_request[] = {ADMIN_END};

static const struct admin_field get_response[] = {
	ADMIN_STR("String", 1, DIRECTORY_CIPHERS_BYTES,
		"what was chosen; " CFG_CIPHERS ": what patchbay.cfg says"),
	ADMIN_STR("PatchbayInForce", 0, LIST_BYTES,
		"what the next handshake may choose from, the best first, : between"),
	ADMIN_END,
};

static int get_server_cipher_step(struct admin_call *call)
{
	const char *chosen = directory_server_ciphers();
	char list[LIST_BYTES];

	server_tls_ciphers(list, sizeof(list));
	admin_put_str(call, "String", chosen[0] != '\0' ? chosen : CFG_CIPHERS);
	admin_put_str(call, "PatchbayInForce", list);
	return ADMIN_DONE;
}

const struct admin_method admin_method_get_server_cipher = {
	.name = "GetServerCipher",
	.role = ADMIN_ROLE_ANY,
	.effect = ADMIN_EFFECT_NONE,
	.text = "Tells which ciphers TLS may choose from.",
	.request = no_request,
	.response = get_response,
	.step = get_server_cipher_step,
};

static const struct admin_field list_response[] = {
	ADMIN_STR("String", 0, LIST_BYTES, "names, ; between"),
	ADMIN_END,
};

static int get_server_cipher_list_step(struct admin_call *call)
{
	char list[LIST_BYTES];

	tls_context_ciphers_known(list, sizeof(list));
	admin_put_str(call, "String", list);
	return ADMIN_DONE;
}

const struct admin_method admin_method_get_server_cipher_list = {
	.name = "GetServerCipherList",
	.role = ADMIN_ROLE_ANY,
	.effect = ADMIN_EFFECT_NONE,
	.text = "Lists the names of ciphers that there are: those of TLS 1.3 begin with TLS_.",
	.request = no_request,
	.response = list_response,
	.step = get_server_cipher_list_step,
};

/* ---- SetServerCipher ----------------------------------------------------------------------------- */

static const struct admin_field set_request[] = {
	ADMIN_STR("String", 0, DIRECTORY_CIPHERS_BYTES - 1,
		"names, with : ; , or spaces between; " CFG_CIPHERS
		" or nothing: what patchbay.cfg says"),
	ADMIN_END,
};

static const struct admin_field set_response[] = {
	ADMIN_STR("String", 0, DIRECTORY_CIPHERS_BYTES, "the same"),
	ADMIN_END,
};

/* OpenSSL's names are in capitals; the original's users need not know. What has some already is left alone (aNULL). */
static void capitals(const char *from, char list[DIRECTORY_CIPHERS_BYTES])
{
	bool small = true;

	snprintf(list, DIRECTORY_CIPHERS_BYTES, "%s", from);
	for (const char *c = list; *c != '\0'; c++)
		small &= *c < 'A' || *c > 'Z';
	for (char *c = list; small && *c != '\0'; c++)
		*c = (char)(*c >= 'a' && *c <= 'z' ? *c - 'a' + 'A' : *c);
}

static int set_begin(struct admin_call *call, struct admin_server_change *st)
{
	char list[DIRECTORY_CIPHERS_BYTES];
	char error[200];
	int rc;

	capitals(admin_get_str(call, "String"), list);
	if (strcasecmp(list, CFG_CIPHERS) == 0)
		list[0] = '\0';
	if (!directory_text_ok(list, false))
		return admin_fail_field(call, "String", "must be text");
	if (!server_tls_ciphers_ok(list, error, sizeof(error)))
		return admin_fail_field(
			call, "String", "must be names as GetServerCipherList has them: %s", error);
	rc = server_change_ciphers(list, &st->change);
	return rc == 0 || rc == -EBUSY ? ADMIN_WAIT
				       : admin_fail(call, WIRE_ERROR_INTERNAL, "%s", strerror(-rc));
}

static int set_server_cipher_step(struct admin_call *call)
{
	struct admin_server_change *st = call->state;
	int rc = st->change == NULL ? set_begin(call, st) : admin_server_change_wait(call);

	if (rc == ADMIN_DONE)
		admin_put_str(call, "String", admin_get_str(call, "String"));
	return rc;
}

const struct admin_method admin_method_set_server_cipher = {
	.name = "SetServerCipher",
	.role = ADMIN_ROLE_SERVER,
	.effect = ADMIN_EFFECT_STORED,
	.text = "Chooses the ciphers of the next handshakes; sessions keep theirs. Names of TLS 1.3 (TLS_...) replace its "
		"suites, all others those of TLS 1.2; a version without a name keeps what patchbay.cfg says. 38: a name "
		"that nobody knows, or none that would do.",
	.request = set_request,
	.response = set_response,
	.state_bytes = sizeof(struct admin_server_change),
	.step = set_server_cipher_step,
	.fini = admin_server_change_fini,
};
