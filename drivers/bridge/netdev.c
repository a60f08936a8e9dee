/* SPDX-License-Identifier: BSD-3-Clause */
/* Kernel interfaces behind devices: link, end, and their offloads by ioctl (netdev.h). */

#include "drivers/bridge/netdev.h"

#include <errno.h>
#include <limits.h>
#include <linux/bpf.h>
#include <linux/ethtool.h>
#include <linux/if_link.h>
#include <linux/sockios.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* ---- name and state -------------------------------------------------------------------------- */

static bool begins(const char *text, const char *with)
{
	return strncmp(text, with, strlen(with)) == 0;
}

/* Value of `key` in devargs. */
static bool argument(const char *devargs, const char *key, char name[IFNAMSIZ])
{
	size_t len = strlen(key);

	for (const char *p = strchr(devargs, ','); p != NULL; p = strchr(p + 1, ',')) {
		size_t n;

		if (strncmp(p + 1, key, len) != 0 || p[1 + len] != '=')
			continue;
		p += len + 2;
		n = strcspn(p, ",");
		if (n == 0 || n >= IFNAMSIZ)
			return false;
		memcpy(name, p, n);
		name[n] = '\0';
		return true;
	}
	return false;
}

/* The drivers borrow, the interface is somebody else's. */
bool netdev_name(const char *driver, const char *devargs, char name[IFNAMSIZ])
{
	if (begins(driver, "net_af_packet") || begins(driver, "net_af_xdp"))
		return argument(devargs, "iface", name);
	if (begins(driver, "net_pcap"))
		return argument(devargs, "iface", name) || argument(devargs, "rx_iface", name);
	return false;
}

/* Of a slot of the packet ring, by default and by the kernel's layout of it (two addresses and TPACKET2_HDRLEN). */
#define SLOT_DEFAULT 2048u
#define SLOT_HEAD    66u

uint32_t netdev_frame_limit(const char *driver, const char *devargs)
{
	char text[IFNAMSIZ];
	unsigned long slot = SLOT_DEFAULT;

	if (!begins(driver, "net_af_packet"))
		return UINT32_MAX;
	if (argument(devargs, "framesz", text))
		slot = strtoul(text, NULL, 10);
	/* One that fills its slot may be the rest of a longer one. */
	return slot > SLOT_HEAD && slot < UINT16_MAX ? (uint32_t)slot - SLOT_HEAD - 1 : 0;
}

/* A request about an interface; -errno. */
static int request(const char *name, unsigned long what, struct ifreq *ifr)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int rc;

	if (fd < 0)
		return -errno;
	snprintf(ifr->ifr_name, IFNAMSIZ, "%s", name);
	rc = ioctl(fd, what, ifr) < 0 ? -errno : 0;
	close(fd);
	return rc;
}

enum netdev_state netdev_state(const char *name)
{
	struct ifreq ifr = {0};
	int rc = request(name, SIOCGIFFLAGS, &ifr);

	if (rc == -ENODEV)
		return NETDEV_GONE;
	/* Out of descriptors, say: no reason to think anything new of the interface. */
	if (rc != 0)
		return NETDEV_UP;
	return (ifr.ifr_flags & IFF_UP) != 0 && (ifr.ifr_flags & IFF_RUNNING) != 0 ? NETDEV_UP
										   : NETDEV_DOWN;
}

/* ---- offloads by name ------------------------------------------------------------------------ */

/* The kernel's answers are a head that ends in a flexible array, and the array's place behind it. */
#ifdef __clang__
#pragma clang diagnostic ignored "-Wgnu-variable-sized-type-not-at-end"
#endif

#define FEATURES_MAX 256u
#define BLOCKS_MAX   (FEATURES_MAX / 32)

struct features {
	uint32_t on[BLOCKS_MAX]; /* by the kernel's numbers, which hold until it is booted */
	unsigned blocks;
};

static int ethtool(const char *name, void *command)
{
	struct ifreq ifr = {.ifr_data = command};

	return request(name, SIOCETHTOOL, &ifr);
}

static int feature_count(const char *name, unsigned *out)
{
	struct {
		struct ethtool_sset_info info;
		uint32_t count;
	} ask = {.info = {.cmd = ETHTOOL_GSSET_INFO, .sset_mask = 1u << ETH_SS_FEATURES}};
	int rc = ethtool(name, &ask);

	if (rc != 0)
		return rc;
	if (ask.info.sset_mask == 0 || ask.count == 0 || ask.count > FEATURES_MAX)
		return -EOPNOTSUPP;
	*out = ask.count;
	return 0;
}

/* Whatever merges, and whatever cuts later, by whichever protocol: new kernels have new ones. */
static bool is_unwanted(const char *feature)
{
	static const char cuts[] = "-segmentation";
	size_t len = strnlen(feature, ETH_GSTRING_LEN);

	return begins(feature, "rx-gro") || begins(feature, "rx-lro") ||
		begins(feature, "rx-udp-gro") || begins(feature, "tx-gso-list") ||
		(begins(feature, "tx-") && len >= sizeof(cuts) && len < ETH_GSTRING_LEN &&
			strcmp(feature + len - strlen(cuts), cuts) == 0);
}

/* The unwanted ones that are on and may be switched. */
static int features_on(const char *name, struct features *out)
{
	struct {
		struct ethtool_gstrings head;
		char text[FEATURES_MAX][ETH_GSTRING_LEN];
	} names = {.head = {.cmd = ETHTOOL_GSTRINGS, .string_set = ETH_SS_FEATURES}};
	struct {
		struct ethtool_gfeatures head;
		struct ethtool_get_features_block block[BLOCKS_MAX];
	} now = {.head = {.cmd = ETHTOOL_GFEATURES}};
	unsigned count;
	int rc = feature_count(name, &count);

	memset(out, 0, sizeof(*out));
	if (rc != 0)
		return rc;
	names.head.len = count;
	out->blocks = (count + 31) / 32;
	now.head.size = out->blocks;
	rc = ethtool(name, &names);
	if (rc == 0)
		rc = ethtool(name, &now);
	for (unsigned i = 0; i < count && rc == 0; i++) {
		const struct ethtool_get_features_block *b = &now.block[i / 32];

		if (is_unwanted(names.text[i]))
			out->on[i / 32] |= b->available & (b->requested | b->active) & 1u << i % 32;
	}
	return rc;
}

static int features_set(const char *name, const struct features *f, bool on)
{
	struct {
		struct ethtool_sfeatures head;
		struct ethtool_set_features_block block[BLOCKS_MAX];
	} set = {.head = {.cmd = ETHTOOL_SFEATURES, .size = f->blocks}};
	uint32_t any = 0;

	for (unsigned i = 0; i < f->blocks; i++) {
		set.block[i].valid = f->on[i];
		set.block[i].requested = on ? f->on[i] : 0;
		any |= f->on[i];
	}
	return any == 0 ? 0 : ethtool(name, &set);
}

/* ---- veth ------------------------------------------------------------------------------------ */

static bool is_veth(const char *name)
{
	struct ethtool_drvinfo info = {.cmd = ETHTOOL_GDRVINFO};

	return ethtool(name, &info) == 0 && strcmp(info.driver, "veth") == 0;
}

static int bpf(int command, union bpf_attr *attr)
{
	long rc = syscall(SYS_bpf, command, attr, sizeof(*attr));

	return rc < 0 ? -errno : (int)rc;
}

/* Attaches "return XDP_PASS"; the descriptor of the link, or -errno. */
static int pass_all(const char *name)
{
	static const struct bpf_insn insns[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = XDP_PASS},
		{.code = BPF_JMP | BPF_EXIT},
	};
	union bpf_attr load = {
		.prog_type = BPF_PROG_TYPE_XDP,
		.insns = (uint64_t)(uintptr_t)insns,
		.insn_cnt = 2,
		.license = (uint64_t)(uintptr_t) "BSD",
	};
	union bpf_attr link = {
		.link_create = {.attach_type = BPF_XDP, .flags = XDP_FLAGS_DRV_MODE}};
	int fd = bpf(BPF_PROG_LOAD, &load), rc;

	if (fd < 0)
		return fd;
	link.link_create.prog_fd = (uint32_t)fd;
	link.link_create.target_ifindex = if_nametoindex(name);
	rc = bpf(BPF_LINK_CREATE, &link);
	close(fd);
	return rc;
}

/* ---- who uses it ----------------------------------------------------------------------------- */

struct interface {
	char name[IFNAMSIZ];
	unsigned users;
	unsigned index; /* of the kernel: another one may have come under this name */
	struct features off;
	int xdp_fd; /* -1 = none */
	LIST_ENTRY(interface) entry;
};

static LIST_HEAD(, interface) interfaces = LIST_HEAD_INITIALIZER(interfaces);

/* ---- what a killed process leaves ------------------------------------------------------------ */

/*
 * A text file: the boot and the network namespace for which the rest holds, then a line for each interface -
 * its number, its name, the bits to switch on again. Written before anything is switched.
 */
#define BOOT_ID	  "/proc/sys/kernel/random/boot_id"
#define NET_SPACE "/proc/self/ns/net"

static char record_path[PATH_MAX]; /* "" = nothing is recorded */

/* One line without its end: where the numbers of interfaces and features mean what they mean here. */
static int place(char *text, size_t size)
{
	char boot[64] = "";
	struct stat net;
	FILE *f = fopen(BOOT_ID, "re");

	if (f == NULL)
		return -errno;
	if (fscanf(f, "%63s", boot) != 1)
		boot[0] = '\0';
	fclose(f);
	if (boot[0] == '\0' || stat(NET_SPACE, &net) < 0)
		return -ENODATA;
	snprintf(text, size, "boot %s net %llu", boot, (unsigned long long)net.st_ino);
	return 0;
}

static void write_lines(FILE *f, const char *where)
{
	const struct interface *i;

	fprintf(f, "%s\n", where);
	LIST_FOREACH (i, &interfaces, entry) {
		fprintf(f, "%u %s", i->index, i->name);
		for (unsigned b = 0; b < BLOCKS_MAX; b++)
			fprintf(f, " %x", i->off.on[b]);
		fprintf(f, "\n");
	}
}

/* The file as `interfaces` is now; none without any. -errno: it is as it was. */
static int record(void)
{
	char text[128], fresh[PATH_MAX + 8];
	FILE *f;
	int rc;

	if (record_path[0] == '\0')
		return 0;
	if (LIST_EMPTY(&interfaces))
		return unlink(record_path) < 0 && errno != ENOENT ? -errno : 0;
	rc = place(text, sizeof(text));
	if (rc != 0)
		return rc;
	snprintf(fresh, sizeof(fresh), "%s.new", record_path);
	f = fopen(fresh, "we");
	if (f == NULL)
		return -errno;
	write_lines(f, text);
	rc = ferror(f) != 0 ? -EIO : 0;
	/* No fsync: what would lose the file loses the kernel's state too. */
	if (fclose(f) != 0 && rc == 0)
		rc = -errno;
	if (rc == 0 && rename(fresh, record_path) < 0)
		rc = -errno;
	if (rc != 0)
		unlink(fresh);
	return rc;
}

/* One line of the file; false: it is none, or its interface is not there any more. */
static bool undo_line(char *line)
{
	struct features f = {.blocks = 0};
	char *save = NULL, *word = strtok_r(line, " \n", &save);
	unsigned long index = word != NULL ? strtoul(word, NULL, 10) : 0;
	const char *name = strtok_r(NULL, " \n", &save);
	unsigned count;

	if (index == 0 || name == NULL || strlen(name) >= IFNAMSIZ || if_nametoindex(name) != index)
		return false;
	for (unsigned b = 0; b < BLOCKS_MAX && (word = strtok_r(NULL, " \n", &save)) != NULL; b++)
		f.on[b] = (uint32_t)strtoul(word, NULL, 16);
	if (feature_count(name, &count) != 0)
		return false;
	f.blocks = (count + 31) / 32;
	return features_set(name, &f, true) >= 0;
}

unsigned netdev_recover(const char *path)
{
	char where[128], line[256];
	unsigned n = 0;
	FILE *f;

	snprintf(record_path, sizeof(record_path), "%s", path);
	f = fopen(path, "re");
	if (f == NULL)
		return 0;
	if (place(where, sizeof(where)) == 0 && fgets(line, sizeof(line), f) != NULL &&
		strncmp(line, where, strlen(where)) == 0 && line[strlen(where)] == '\n') {
		while (fgets(line, sizeof(line), f) != NULL)
			n += undo_line(line);
	}
	fclose(f);
	unlink(path);
	return n;
}

/* ---- switching ------------------------------------------------------------------------------- */

static struct interface *find(const char *name)
{
	struct interface *i;

	LIST_FOREACH (i, &interfaces, entry)
		if (strcmp(i->name, name) == 0)
			break;
	return i;
}

static int switch_off(struct interface *i, bool xdp_free)
{
	struct features on;
	int rc = features_on(i->name, &on);

	if (i->index != if_nametoindex(i->name)) {
		i->index = if_nametoindex(i->name);
		memset(&i->off, 0, sizeof(i->off));
		if (i->xdp_fd >= 0)
			close(i->xdp_fd);
		i->xdp_fd = -1;
	}
	/* Also what somebody has switched on since an earlier bridge came. */
	for (unsigned b = 0; b < BLOCKS_MAX && rc == 0; b++)
		i->off.on[b] |= on.on[b];
	i->off.blocks = on.blocks;
	if (rc == 0)
		rc = record();
	if (rc == 0)
		rc = features_set(i->name, &on, false);
	if (i->xdp_fd < 0 && xdp_free && is_veth(i->name)) {
		i->xdp_fd = pass_all(i->name);
		if (rc == 0 && i->xdp_fd < 0)
			rc = i->xdp_fd;
	}
	return rc < 0 ? rc : 0;
}

int netdev_offloads_off(const char *name, bool xdp_free)
{
	struct interface *i = find(name);

	if (i == NULL) {
		i = calloc(1, sizeof(*i));
		if (i == NULL)
			return -ENOMEM;
		snprintf(i->name, sizeof(i->name), "%s", name);
		i->xdp_fd = -1;
		LIST_INSERT_HEAD(&interfaces, i, entry);
	}
	i->users++;
	return switch_off(i, xdp_free);
}

void netdev_offloads_back(const char *name)
{
	struct interface *i = find(name);

	if (i == NULL || --i->users > 0)
		return;
	if (i->xdp_fd >= 0)
		close(i->xdp_fd);
	if (i->index == if_nametoindex(i->name))
		features_set(i->name, &i->off, true);
	LIST_REMOVE(i, entry);
	free(i);
	/* If that fails the next start switches on what is on. */
	(void)record();
}
