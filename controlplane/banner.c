/* SPDX-License-Identifier: BSD-3-Clause */
/* First start and greeting (banner.h). */

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <inttypes.h>
#include <net/if.h>
#include <openssl/rand.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "controlplane/banner.h"
#include "controlplane/directory.h"
#include "controlplane/listener.h"
#include "controlplane/log.h"
#include "controlplane/store.h"
#include "drivers/session/wire/sha0.h"

#define PASSWORD_LEN 20u
#define HOST_BYTES   256u

/* No 0 O o 1 l I, nothing a shell or vpncmd would read as something else. 20 of 56: 116 bits. */
static const char alphabet[] = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789";

static int make_password(char out[PASSWORD_LEN + 1])
{
	const unsigned letters = sizeof(alphabet) - 1;
	unsigned len = 0;

	while (len < PASSWORD_LEN) {
		unsigned char byte;

		if (RAND_priv_bytes(&byte, 1) != 1)
			return -EIO;
		/* Bytes above the last full turn of the alphabet would favour its beginning. */
		if (byte < 256 / letters * letters)
			out[len++] = alphabet[byte % letters];
	}
	out[len] = '\0';
	return 0;
}

int banner_first_start(const char *state_dir)
{
	char line[PASSWORD_LEN + 2];
	char *password = line;
	struct directory_hub *hub;
	struct directory_user *user;
	int rc;

	rc = make_password(password);
	if (rc == 0)
		rc = directory_hub_create(BANNER_HUB, &hub);
	if (rc == 0)
		rc = directory_user_create(hub, BANNER_USER, &user);
	if (rc == 0) {
		directory_user_set_password(user, password);
		line[PASSWORD_LEN] = '\n';
		rc = store_put(state_dir, BANNER_PASSWORD_FILE, 0600, line, PASSWORD_LEN + 1, 0);
	}
	if (rc == 0)
		rc = store_save_now();
	explicit_bzero(line, sizeof(line));
	if (rc < 0)
		log_error("directory", "%s: hub and user of the first start cannot be saved: %s",
			state_dir, strerror(-rc));
	else
		log_notice("directory", "first start: made hub %s and user %s", BANNER_HUB,
			BANNER_USER);
	return rc;
}

/* The password of the first start as long as it is still the user's. */
static bool initial_password(
	const char *path, const struct directory_user *user, char out[PASSWORD_LEN + 1])
{
	uint8_t hash[SHA0_BYTES];
	FILE *f = fopen(path, "re");
	bool got;

	if (f == NULL)
		return false;
	got = fgets(out, PASSWORD_LEN + 1, f) != NULL;
	fclose(f);
	if (!got || user == NULL || user->auth != DIRECTORY_AUTH_PASSWORD)
		return false;
	sha0_password_hash(out, user->name, hash);
	return sha0_equal(hash, user->hashed_password, SHA0_BYTES);
}

/* What is printed there is kept: systemd says so by device and inode (systemd.exec(5)). */
static bool stdout_is_log(void)
{
	const char *journal = getenv("JOURNAL_STREAM");
	uintmax_t dev, ino;
	struct stat st;

	if (fstat(STDOUT_FILENO, &st) < 0 || S_ISSOCK(st.st_mode))
		return true;
	return journal != NULL && sscanf(journal, "%" SCNuMAX ":%" SCNuMAX, &dev, &ino) == 2 &&
		dev == st.st_dev && ino == st.st_ino;
}

/* An address under which others may reach us: the first IPv4 one that is not loopback, else our name. */
static void own_host(char out[HOST_BYTES])
{
	struct ifaddrs *list, *i;

	out[0] = '\0';
	if (getifaddrs(&list) == 0) {
		for (i = list; i != NULL && out[0] == '\0'; i = i->ifa_next) {
			if (i->ifa_addr == NULL || i->ifa_addr->sa_family != AF_INET ||
				(i->ifa_flags & (IFF_LOOPBACK | IFF_UP)) != IFF_UP)
				continue;
			inet_ntop(AF_INET, &((struct sockaddr_in *)i->ifa_addr)->sin_addr, out,
				HOST_BYTES);
		}
		freeifaddrs(list);
	}
	if (out[0] == '\0' && (gethostname(out, HOST_BYTES - 1) < 0 || out[0] == '\0'))
		strcpy(out, "localhost");
}

/* What is open on one line, what is not below; returns the first open port. */
static unsigned print_listeners(void)
{
	const char *separator = "";
	struct listener_info info;
	unsigned port = 0;

	fputs("  Listeners: TCP ", stdout);
	for (unsigned i = 0; listener_get(i, &info); i++) {
		if (!info.open)
			continue;
		printf("%s%u", separator, info.port);
		separator = ", ";
		if (port == 0)
			port = info.port;
	}
	putchar('\n');
	for (unsigned i = 0; listener_get(i, &info); i++)
		if (info.enabled && !info.open)
			printf("             skipped: %u, %s\n", info.port, strerror(info.error));
	return port;
}

static void print_client(const char *user, const char *hub, const char *password, unsigned port)
{
	static const char vpncmd[] = "    vpncmd localhost /CLIENT /CMD";
	char host[HOST_BYTES];

	own_host(host);
	puts("\n  On a machine with SoftEther VPN Client:");
	printf("%s NicCreate vpn0\n", vpncmd);
	printf("%s AccountCreate patchbay /SERVER:%s/tcp:%u /HUB:%s /USERNAME:%s /NICNAME:vpn0\n",
		vpncmd, host, port, hub, user);
	printf("%s AccountPasswordSet patchbay /PASSWORD:%s /TYPE:standard\n", vpncmd, password);
	printf("%s AccountConnect patchbay\n", vpncmd);
}

/* Somebody has changed what the first start made: only what is there. */
static void print_hubs(void)
{
	const struct directory_hub *hub;

	TAILQ_FOREACH (hub, directory_hubs(), entry)
		printf("  Hub:       %s%s, %u users\n", hub->name, hub->online ? "" : " (offline)",
			hub->user_cnt);
}

void banner_print(const char *state_dir, bool first_start)
{
	struct directory_hub *hub = directory_hub_find(BANNER_HUB);
	const struct directory_user *user = NULL;
	char password[PASSWORD_LEN + 1] = "";
	char path[4096], quoted[sizeof(path) + 16];
	unsigned port;

	printf("patchbayd %s is ready\n", PATCHBAY_VERSION);
	port = print_listeners();
	printf("  State:     %s\n", state_dir);
	if (hub != NULL)
		user = directory_user_find(hub, BANNER_USER);
	snprintf(path, sizeof(path), "%s/" BANNER_PASSWORD_FILE, state_dir);
	if (user == NULL || !initial_password(path, user, password)) {
		print_hubs();
	} else {
		bool shown = first_start && !stdout_is_log();

		printf("  Hub:       %s\n  User:      %s\n", hub->name, user->name);
		if (shown)
			printf("  Password:  %s\n             also in %s\n", password, path);
		else
			printf("  Password:  in %s\n", path);
		snprintf(quoted, sizeof(quoted), "\"$(cat %s)\"", path);
		print_client(user->name, hub->name, shown ? password : quoted, port);
	}
	fflush(stdout);
	explicit_bzero(password, sizeof(password));
}
