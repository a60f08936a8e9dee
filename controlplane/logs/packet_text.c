/* SPDX-License-Identifier: BSD-3-Clause */
/* Packet log lines (packet_text.h). */

#include "controlplane/logs/packet_text.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "controlplane/logs/packet_note.h"
#include "dataplane/byte_order.h"
#include "dataplane/frame_class.h"
#include "dataplane/packet_log.h"

#define NOTE_MAX  2048u
#define PROTO_TCP 6u
#define PROTO_UDP 17u

/* The columns in the middle; "" is "-". */
struct columns {
	char type[32], subtype[40];
	char src_ip[INET6_ADDRSTRLEN], src_port[32], dst_ip[INET6_ADDRSTRLEN], dst_port[32];
	char seq[12], ack[12];
	char note_bytes[NOTE_MAX];
	struct text_line note;
};

/* ---- ports ------------------------------------------------------------------------------------ */

/* Ports that people know by name, as the original shows them. */
static const struct {
	uint16_t port;
	const char *name;
} services[] = {
	{20, "ftp-data"},
	{21, "ftp"},
	{22, "ssh"},
	{23, "telnet"},
	{25, "smtp"},
	{53, "domain"},
	{67, "bootps"},
	{68, "bootpc"},
	{69, "tftp"},
	{80, "http"},
	{88, "kerberos"},
	{110, "pop3"},
	{111, "sunrpc"},
	{119, "nntp"},
	{123, "ntp"},
	{137, "netbios-ns"},
	{138, "netbios-dgm"},
	{139, "netbios-ssn"},
	{143, "imap2"},
	{161, "snmp"},
	{162, "snmp-trap"},
	{179, "bgp"},
	{389, "ldap"},
	{443, "https"},
	{445, "microsoft-ds"},
	{465, "submissions"},
	{500, "isakmp"},
	{514, "syslog"},
	{546, "dhcpv6-client"},
	{547, "dhcpv6-server"},
	{587, "submission"},
	{636, "ldaps"},
	{853, "domain-s"},
	{993, "imaps"},
	{995, "pop3s"},
	{1194, "openvpn"},
	{1433, "ms-sql-s"},
	{1701, "l2f"},
	{1812, "radius"},
	{1813, "radius-acct"},
	{3306, "mysql"},
	{3389, "ms-wbt-server"},
	{4500, "ipsec-nat-t"},
	{5060, "sip"},
	{5353, "mdns"},
	{5432, "postgresql"},
};

static void port_text(uint32_t port, char out[32])
{
	for (unsigned i = 0; i < sizeof(services) / sizeof(services[0]); i++) {
		if (services[i].port == port) {
			snprintf(out, 32, "%s(%u)", services[i].name, port);
			return;
		}
	}
	snprintf(out, 32, "%u", port);
}

/* ---- layer 4 ---------------------------------------------------------------------------------- */

static void flags_text(unsigned flags, char *out, size_t size)
{
	static const char *const names[] = {"FIN", "SYN", "RST", "PSH", "ACK", "URG"};
	size_t len = 0;

	out[0] = '\0';
	for (unsigned i = 0; i < 6; i++) {
		if ((flags >> i & 1) != 0)
			len += (size_t)snprintf(
				out + len, size - len, "%s%s", len > 0 ? "+" : "", names[i]);
	}
}

static void tcp_columns(struct columns *c, const uint8_t *p, size_t n, unsigned kinds)
{
	size_t header = (p[12] >> 4) * 4u;
	unsigned flags = p[13];

	flags_text(flags, c->subtype, sizeof(c->subtype));
	snprintf(c->seq, sizeof(c->seq), "%u", be32(p + 4));
	snprintf(c->ack, sizeof(c->ack), "%u", be32(p + 8));
	text_printf(&c->note, "WindowSize=%u", be16(p + 14));
	if ((flags & 7) != 0 || (kinds & 1u << PACKET_LOG_CONNECTION) == 0 || header >= n)
		return;
	if (be16(p + 2) == 443)
		note_tls(&c->note, p + header, n - header);
	else
		note_http(&c->note, p + header, n - header);
}

/* Returns the type without its family. */
static const char *udp_columns(struct columns *c, const uint8_t *p, size_t n, unsigned kinds)
{
	uint32_t to = be16(p + 2);
	const char *name;

	if ((kinds & 1u << PACKET_LOG_DHCP) != 0) {
		snprintf(c->subtype, sizeof(c->subtype), "%s",
			n > 8 && p[8] == 2 ? "Response" : "Request");
		note_dhcp(&c->note, p + 8, n - 8);
		return "DHCP";
	}
	if ((kinds & 1u << PACKET_LOG_CONNECTION) == 0)
		return "UDP";
	if (to == 53) {
		snprintf(c->subtype, sizeof(c->subtype), "DNS_Query");
		note_dns(&c->note, p + 8, n - 8);
		return "DNS";
	}
	if (to == 1194)
		return "OPENVPN_CONNECT";
	name = note_ike(&c->note, p + 8, n - 8, to == 4500);
	snprintf(c->subtype, sizeof(c->subtype), "%s", name != NULL ? name : "");
	return "IKE_CONNECT";
}

static void icmp4_columns(struct columns *c, const uint8_t *p)
{
	const char *name = p[0] == 0 ? "Echo Reply"
		: p[0] == 3	     ? "Destination Unreachable"
		: p[0] == 5	     ? "Redirect"
		: p[0] == 8	     ? "Echo Request"
		: p[0] == 11	     ? "Time Exceeded"
				     : "";

	snprintf(c->subtype, sizeof(c->subtype), "%s", name);
}

static void icmp6_columns(struct columns *c, const uint8_t *p, size_t n)
{
	static const char *const discovery[] = {"Router Solicitation", "Router Advertisement",
		"Neighbor Solicitation", "Neighbor Advertisement"};
	char ip[INET6_ADDRSTRLEN];

	if (p[0] >= 133 && p[0] <= 136)
		snprintf(c->subtype, sizeof(c->subtype), "%s", discovery[p[0] - 133]);
	else if (p[0] == 128 || p[0] == 129)
		snprintf(c->subtype, sizeof(c->subtype), "%s",
			p[0] == 128 ? "Echo Request" : "Echo Reply");
	if ((p[0] == 135 || p[0] == 136) && n >= 24) {
		inet_ntop(AF_INET6, p + 8, ip, sizeof(ip));
		note_put(&c->note, "TargetAddress", ip, strlen(ip));
	} else if (p[0] == 134 && n >= 8) {
		text_printf(&c->note, "CurHopLimit=%u Flags=0x%02x Lifetime=%u", p[4], p[5],
			be16(p + 6));
	}
}

/* ---- layers 2 and 3 --------------------------------------------------------------------------- */

static void arp_columns(struct columns *c, const uint8_t *p)
{
	unsigned op = be16(p + 6);
	char mac[13], sender[INET_ADDRSTRLEN], target[INET_ADDRSTRLEN];

	snprintf(c->type, sizeof(c->type), "ARPv4");
	snprintf(mac, sizeof(mac), "%02X%02X%02X%02X%02X%02X", p[8], p[9], p[10], p[11], p[12],
		p[13]);
	inet_ntop(AF_INET, p + 14, sender, sizeof(sender));
	inet_ntop(AF_INET, p + 24, target, sizeof(target));
	if (op == 1) {
		snprintf(c->subtype, sizeof(c->subtype), "Request");
		text_printf(&c->note, "Who has %s? Please Tell %s(%s)", target, mac, sender);
	} else if (op == 2) {
		snprintf(c->subtype, sizeof(c->subtype), "Response");
		text_printf(&c->note, "%s has %s", mac, sender);
	}
}

static void ip_columns(
	struct columns *c, const struct packet_record *rec, const struct frame_class *cls)
{
	bool ipv6 = (cls->classes & FRAME_IPV6) != 0;
	const uint8_t *p = rec->data + cls->l4_at;
	size_t n = rec->captured - cls->l4_at;
	const char *what = NULL;

	inet_ntop(ipv6 ? AF_INET6 : AF_INET, cls->src + (ipv6 ? 0 : 12), c->src_ip,
		sizeof(c->src_ip));
	inet_ntop(ipv6 ? AF_INET6 : AF_INET, cls->dst + (ipv6 ? 0 : 12), c->dst_ip,
		sizeof(c->dst_ip));
	if (cls->l4_at == 0) {
		snprintf(c->type, sizeof(c->type), "IPv%c%s(0x%02X)", ipv6 ? '6' : '4',
			(cls->classes & FRAME_FRAGMENT) != 0 ? "_Fragment" : "", cls->proto);
		return;
	}
	if (cls->proto == PROTO_TCP || cls->proto == PROTO_UDP) {
		port_text(be16(p), c->src_port);
		port_text(be16(p + 2), c->dst_port);
	}
	if (cls->proto == PROTO_TCP) {
		tcp_columns(c, p, n, rec->kinds);
		what = (p[13] & 7) != 0 ? "TCP_CONNECT" : "TCP_DATA";
	} else if (cls->proto == PROTO_UDP) {
		what = udp_columns(c, p, n, rec->kinds);
	} else {
		what = "ICMP";
		if (ipv6)
			icmp6_columns(c, p, n);
		else
			icmp4_columns(c, p);
	}
	snprintf(c->type, sizeof(c->type), "%sv%c", what, ipv6 ? '6' : '4');
}

static void columns_fill(struct columns *c, const struct packet_record *rec)
{
	struct frame_class cls;

	memset(c, 0, offsetof(struct columns, note_bytes));
	text_begin(&c->note, c->note_bytes, sizeof(c->note_bytes));
	if (rec->opaque == 0) {
		frame_classify(rec->data, rec->captured, &cls);
		if ((cls.classes & FRAME_ARP) != 0) {
			arp_columns(c, rec->data + cls.l3_at);
			return;
		}
		if ((cls.classes & FRAME_PACKET) != 0) {
			ip_columns(c, rec, &cls);
			return;
		}
	}
	snprintf(c->type, sizeof(c->type), "Proto=0x%04X", be16(rec->data + 12));
}

/* ---- lines ------------------------------------------------------------------------------------ */

static void column(struct text_line *l, const char *text)
{
	text_put(l, ",", 1);
	text_column(l, text != NULL ? text : "", text != NULL ? strlen(text) : 0);
}

static void mac_column(struct text_line *l, const uint8_t *p)
{
	text_put(l, ",", 1);
	text_hex(l, p, 6);
}

static void line_columns(struct text_line *l, const struct packet_record *rec,
	const struct packet_names *names, const struct packet_time *when, const struct columns *c)
{
	text_put(l, when->date, strlen(when->date));
	column(l, when->clock);
	column(l, names->from);
	column(l, names->to);
	mac_column(l, rec->data + 6);
	mac_column(l, rec->data);
	text_printf(l, ",0x%04X,%u", be16(rec->data + 12), rec->frame_len);
	column(l, c->type);
	column(l, c->subtype);
	column(l, c->src_ip);
	column(l, c->src_port);
	column(l, c->dst_ip);
	column(l, c->dst_port);
	column(l, c->seq);
	column(l, c->ack);
	text_put(l, ",", 1);
	text_column(l, c->note.text, c->note.len);
	text_put(l, ",", 1);
	if (rec->how == PACKET_LOG_FULL)
		text_hex(l, rec->data, rec->captured);
	else
		text_put(l, "-", 1);
	if (names->no_ips)
		return;
	column(l, names->from_ip);
	column(l, names->to_ip);
}

static void member(struct text_line *l, const char *key, const char *text, size_t n)
{
	if (text == NULL || n == 0)
		return;
	text_printf(l, ",\"%s\":", key);
	text_json(l, text, n);
}

static void text_member(struct text_line *l, const char *key, const char *text)
{
	member(l, key, text, text != NULL ? strlen(text) : 0);
}

static void hex_member(struct text_line *l, const char *key, const uint8_t *p, size_t n)
{
	text_printf(l, ",\"%s\":\"", key);
	text_hex(l, p, n);
	text_put(l, "\"", 1);
}

static void line_json(struct text_line *l, const struct packet_record *rec,
	const struct packet_names *names, const struct packet_time *when, const struct columns *c)
{
	text_put(l, "{\"time\":", 8);
	text_json(l, when->json, strlen(when->json));
	text_put(l, ",\"log\":\"packet\"", 15);
	text_member(l, "hub", names->hub);
	text_member(l, "source_session", names->from);
	text_member(l, "destination_session", names->to);
	hex_member(l, "source_mac", rec->data + 6, 6);
	hex_member(l, "destination_mac", rec->data, 6);
	text_printf(l, ",\"ethertype\":%u,\"size\":%u", be16(rec->data + 12), rec->frame_len);
	text_member(l, "type", c->type);
	text_member(l, "subtype", c->subtype);
	text_member(l, "source_ip", c->src_ip);
	text_member(l, "source_port", c->src_port);
	text_member(l, "destination_ip", c->dst_ip);
	text_member(l, "destination_port", c->dst_port);
	text_member(l, "seq", c->seq);
	text_member(l, "ack", c->ack);
	member(l, "note", c->note.text, c->note.len);
	if (rec->how == PACKET_LOG_FULL)
		hex_member(l, "data", rec->data, rec->captured);
	if (!names->no_ips) {
		text_member(l, "source_physical_ip", names->from_ip);
		text_member(l, "destination_physical_ip", names->to_ip);
	}
	text_put(l, "}", 1);
}

void packet_text(struct text_line *l, bool json, const struct packet_record *rec,
	const struct packet_names *names, const struct packet_time *when)
{
	struct columns c;

	columns_fill(&c, rec);
	if (json)
		line_json(l, rec, names, when, &c);
	else
		line_columns(l, rec, names, when, &c);
}
