/* SPDX-License-Identifier: BSD-3-Clause */
/* Certificate authentication: one table of what a peer may bring, and which user it lets in. */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "controlplane/auth/certificate.h"
#include "controlplane/directory.h"
#include "test/unit/certificates.h"

static const uint8_t random20[20] = {1, 2, 3, 4, 5, 6, 7, 8, 9};
static const uint8_t serial[] = {0x1f, 0x03, 0x00, 0x7a};

static struct certificate ca, other_ca, old_ca, no_ca, client, stranger, self, stale, early,
	server_only, for_clients, weak, elliptic, md5_signed, other_issuer, critical, two_names;

static int group_setup(void **)
{
	certificate_make(&ca, &(struct certificate_wish){.common_name = "CA", .ca = true});
	certificate_make(&other_ca, &(struct certificate_wish){.common_name = "CA", .ca = true});
	certificate_make(&old_ca,
		&(struct certificate_wish){
			.common_name = "OLD", .ca = true, .from_days = -9, .to_days = -1});
	certificate_make(&no_ca, &(struct certificate_wish){.common_name = "NOT"});
	certificate_make(&client,
		&(struct certificate_wish){.common_name = "Alice Ä",
			.organization = "Org",
			.issuer = &ca,
			.serial = serial,
			.serial_bytes = sizeof(serial)});
	certificate_make(&stranger,
		&(struct certificate_wish){.common_name = "Alice Ä", .issuer = &other_ca});
	certificate_make(&self, &(struct certificate_wish){.common_name = "Self"});
	certificate_make(&stale,
		&(struct certificate_wish){
			.common_name = "Stale", .issuer = &ca, .from_days = -9, .to_days = -1});
	certificate_make(&early,
		&(struct certificate_wish){
			.common_name = "Early", .issuer = &ca, .from_days = 1, .to_days = 9});
	certificate_make(&server_only,
		&(struct certificate_wish){
			.common_name = "Server", .issuer = &ca, .purpose = "serverAuth"});
	certificate_make(&for_clients,
		&(struct certificate_wish){.common_name = "Client",
			.issuer = &ca,
			.purpose = "serverAuth,clientAuth"});
	certificate_make(&weak,
		&(struct certificate_wish){.common_name = "Weak", .issuer = &ca, .bits = 768});
	certificate_make(&elliptic,
		&(struct certificate_wish){.common_name = "EC", .issuer = &ca, .elliptic = true});
	certificate_make(&md5_signed,
		&(struct certificate_wish){
			.common_name = "MD5", .issuer = &ca, .digest = EVP_md5()});
	certificate_make(&other_issuer,
		&(struct certificate_wish){
			.common_name = "Foundling", .issuer = &ca, .issuer_name = "Another"});
	certificate_make(&critical,
		&(struct certificate_wish){
			.common_name = "Riddle", .issuer = &ca, .critical = true});
	certificate_make(&two_names,
		&(struct certificate_wish){.common_name = "Alice\0.example.net",
			.common_name_bytes = 18,
			.issuer = &ca});
	return 0;
}

static struct directory_trust *trust;

static int setup(void **)
{
	trust = directory_trust_copy(NULL);
	assert_int_equal(directory_trust_add_ca(trust, ca.der, ca.size), 0);
	return 0;
}

static int teardown(void **)
{
	directory_trust_unref(trust);
	return 0;
}

static uint8_t proof[512];

static struct auth_certificate examine(const struct certificate *c)
{
	struct auth_certificate a = {
		.cert = c->der,
		.cert_bytes = c->size,
		.sign = proof,
		.sign_bytes = certificate_prove(c, random20, proof),
		.random = random20,
		.trust = trust,
		.now_ms = directory_now_ms(),
	};

	auth_certificate_examine(&a);
	return a;
}

static void what_is_found_out(void **)
{
	static const struct {
		const struct certificate *c;
		const char *reason;
		bool trusted;
	} rows[] = {
		{&client, NULL, true},
		{&stranger, NULL, false}, /* the same name of the authority, another key */
		{&self, NULL, false},
		{&stale, "certificate_expired", false},
		{&early, "certificate_expired", false},
		{&server_only, "purpose", false},
		{&for_clients, NULL, true},
		{&weak, "key", false},
		{&elliptic, "key", false},
		{&md5_signed, NULL, false},
		{&ca, NULL, true},	      /* stands in the list itself */
		{&other_issuer, NULL, false}, /* the authority's key, but not its name */
		{&critical, "purpose", false},
		{&two_names, NULL, true},
	};

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct auth_certificate a = examine(rows[i].c);
		const char *reason = rows[i].reason == NULL ? "" : rows[i].reason;

		if (strcmp(a.reason == NULL ? "" : a.reason, reason) != 0 ||
			a.trusted != rows[i].trusted)
			fail_msg("row %u: %s, %d", i, a.reason == NULL ? "good" : a.reason,
				a.trusted);
	}
	assert_string_equal(examine(&client).common_name, "Alice Ä");
	assert_memory_equal(examine(&client).serial, serial, sizeof(serial));
	assert_int_equal(examine(&client).serial_bytes, sizeof(serial));
	/* A name with a zero byte in it is none: it would be taken for what stands before it. */
	assert_string_equal(examine(&two_names).common_name, "");
}

/* Authorities that are out of date, or none. */
static void who_may_sign(void **)
{
	struct certificate by_old, by_none;

	certificate_make(
		&by_old, &(struct certificate_wish){.common_name = "A", .issuer = &old_ca});
	certificate_make(
		&by_none, &(struct certificate_wish){.common_name = "B", .issuer = &no_ca});
	assert_int_equal(directory_trust_add_ca(trust, old_ca.der, old_ca.size), 0);
	assert_int_equal(directory_trust_add_ca(trust, no_ca.der, no_ca.size), 0);
	assert_false(examine(&by_old).trusted);
	assert_false(examine(&by_none).trusted);
	assert_true(examine(&client).trusted);
	/* And without any list. */
	directory_trust_unref(trust);
	trust = NULL;
	assert_null(examine(&client).reason);
	assert_false(examine(&client).trusted);
	certificate_free(&by_old);
	certificate_free(&by_none);
}

static void the_signature_counts(void **)
{
	struct auth_certificate a = examine(&client);
	uint8_t other[20] = {9};

	assert_null(a.reason);
	/* Over another connection's bytes, by another key, too short, too long, none, changed by a bit. */
	a.random = other;
	auth_certificate_examine(&a);
	assert_string_equal(a.reason, "signature");
	a.random = random20;
	a.sign_bytes = certificate_prove(&self, random20, proof);
	auth_certificate_examine(&a);
	assert_string_equal(a.reason, "signature");
	a.sign_bytes = certificate_prove(&client, random20, proof) - 1;
	auth_certificate_examine(&a);
	assert_string_equal(a.reason, "signature");
	a.sign_bytes += 2;
	auth_certificate_examine(&a);
	assert_string_equal(a.reason, "signature");
	a.sign_bytes -= 1;
	for (unsigned bit = 0; bit < 8 * a.sign_bytes; bit += 37) {
		proof[bit / 8] ^= (uint8_t)(1u << bit % 8);
		auth_certificate_examine(&a);
		assert_string_equal(a.reason, "signature");
		assert_false(a.trusted);
		proof[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	a.sign = NULL;
	auth_certificate_examine(&a);
	assert_string_equal(a.reason, "no_signature");
}

static void certificates_cut_short(void **)
{
	struct auth_certificate a = examine(&client);
	uint8_t *copy = malloc(client.size + 1);

	for (size_t size = 0; size < client.size; size++) {
		uint8_t *exact = malloc(size + 1);

		memcpy(exact, client.der, size);
		a.cert = exact;
		a.cert_bytes = size;
		auth_certificate_examine(&a);
		assert_string_equal(a.reason, "no_certificate");
		free(exact);
	}
	memcpy(copy, client.der, client.size);
	copy[client.size] = 0;
	a.cert = copy;
	a.cert_bytes = client.size + 1;
	auth_certificate_examine(&a);
	assert_string_equal(a.reason, "no_certificate");
	free(copy);
}

static void revocations(void **)
{
	uint8_t sha1[20], md5[16];
	struct directory_crl entries[] = {
		{.serial = {0, 0, 0x1f, 0x03, 0x00, 0x7a}, .serial_bytes = 6},
		{.names[CRL_NAME_COMMON] = (char *)"alice Ä"},
		{.names[CRL_NAME_COMMON] = (char *)"Alice Ä",
			.names[CRL_NAME_ORGANIZATION] = (char *)"ORG"},
		{.has_sha1 = true},
		{.has_md5 = true},
	};
	struct directory_crl others[] = {
		{.serial = {0x1f, 0x03, 0x00, 0x7b}, .serial_bytes = 4},
		{.names[CRL_NAME_COMMON] = (char *)"Alice Ä",
			.names[CRL_NAME_UNIT] = (char *)"Unit"},
		{.names[CRL_NAME_COMMON] = (char *)"Alice"},
		{.has_sha1 = true},
		{.serial = {0x1f, 0x03, 0x00, 0x7a}, .serial_bytes = 4, .has_md5 = true},
	};

	EVP_Digest(client.der, client.size, sha1, NULL, EVP_sha1(), NULL);
	EVP_Digest(client.der, client.size, md5, NULL, EVP_md5(), NULL);
	memcpy(entries[3].sha1, sha1, 20);
	memcpy(entries[4].md5, md5, 16);
	for (unsigned i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		assert_int_equal(directory_trust_add_crl(trust, &others[i]), 0);
	assert_null(examine(&client).reason);
	for (unsigned i = 0; i < sizeof(entries) / sizeof(entries[0]); i++) {
		uint32_t key = trust->next_key;

		assert_int_equal(directory_trust_add_crl(trust, &entries[i]), 0);
		assert_string_equal(examine(&client).reason, "revoked");
		assert_null(examine(&for_clients).reason);
		assert_int_equal(directory_trust_delete_crl(trust, key), 0);
	}
	assert_null(examine(&client).reason);
	assert_int_equal(directory_trust_add_crl(trust, &(struct directory_crl){0}), -EINVAL);
}

static void who_gets_in(void **)
{
	struct directory_user *user = directory_user_new("u");
	struct auth_certificate a = examine(&client), b = examine(&stranger);
	const char *why;

	assert_false(auth_certificate_fits(&a, NULL, &why));
	assert_string_equal(why, "no_user");
	directory_user_set_password(user, "pw");
	assert_false(auth_certificate_fits(&a, user, &why));
	assert_int_equal(directory_user_set_certificate(user, client.der, client.size), 0);
	assert_true(auth_certificate_fits(&a, user, &why));
	assert_false(auth_certificate_fits(&b, user, &why));
	assert_string_equal(why, "certificate");

	directory_user_forget_auth(user);
	user->auth = DIRECTORY_AUTH_SIGNED;
	assert_true(auth_certificate_fits(&a, user, &why));
	assert_false(auth_certificate_fits(&b, user, &why));
	assert_string_equal(why, "untrusted");
	user->common_name = strdup("ALICE Ä");
	assert_true(auth_certificate_fits(&a, user, &why));
	strcpy(user->common_name, "ALICE");
	assert_false(auth_certificate_fits(&a, user, &why));
	assert_string_equal(why, "common_name");
	a = examine(&two_names);
	assert_false(auth_certificate_fits(&a, user, &why));
	assert_string_equal(why, "common_name");
	a = examine(&client);
	free(user->common_name);
	user->common_name = NULL;
	memcpy(user->serial, "\0\x1f\x03\x00\x7a", 5);
	user->serial_bytes = 5;
	assert_true(auth_certificate_fits(&a, user, &why));
	user->serial[4] = 0;
	assert_false(auth_certificate_fits(&a, user, &why));
	assert_string_equal(why, "serial");
	/* Nobody with what does not prove its owner. */
	a.reason = "revoked";
	user->serial_bytes = 0;
	assert_false(auth_certificate_fits(&a, user, &why));
	directory_user_free(user);
}

static void lists_are_copied(void **)
{
	struct directory_trust *copy = directory_trust_copy(trust);
	struct directory_crl crl = {.names[CRL_NAME_COMMON] = (char *)"x"};

	assert_int_equal(directory_trust_add_ca(copy, ca.der, ca.size), -EEXIST);
	assert_int_equal(directory_trust_add_ca(copy, ca.der, ca.size - 1), -EBADMSG);
	for (unsigned i = 0; i < 50; i++)
		assert_int_equal(directory_trust_add_crl(copy, &crl), 0);
	assert_int_equal(trust->crl_cnt, 0);
	assert_int_equal(copy->crl_cnt, 50);
	assert_int_equal(directory_trust_delete_ca(copy, 1), 0);
	assert_int_equal(directory_trust_delete_ca(copy, 1), -ENOENT);
	assert_int_equal(trust->ca_cnt, 1);
	crl.names[CRL_NAME_COMMON] = (char *)"y";
	assert_int_equal(directory_trust_set_crl(copy, 20, &crl), 0);
	assert_string_equal(directory_trust_crl(copy, 20)->names[CRL_NAME_COMMON], "y");
	assert_int_equal(directory_trust_set_crl(copy, 999, &crl), -ENOENT);
	directory_trust_unref(copy);
	while (trust->crl_cnt < DIRECTORY_CRLS_MAX)
		assert_int_equal(directory_trust_add_crl(trust, &crl), 0);
	assert_int_equal(directory_trust_add_crl(trust, &crl), -ENOSPC);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(what_is_found_out),
		T(who_may_sign),
		T(the_signature_counts),
		T(certificates_cut_short),
		T(revocations),
		T(who_gets_in),
		T(lists_are_copied),
	};

	return cmocka_run_group_tests(tests, group_setup, NULL);
}
