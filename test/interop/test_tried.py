# SPDX-License-Identifier: BSD-3-Clause
"""What the reference marks [T] (tried on the real server), and where it is tried again, on both servers.

The table is the answer to "which test says that we do as the original does": each names a test that runs with
--server=softether too, or says why there is none. The rows themselves stand in shared/reference, which a clone has not;
where it is at hand, a row of it that is not here is found.
"""

import pathlib
import re

import pytest

HERE = pathlib.Path(__file__).parent
REFERENCE = next((p / "shared/reference" for p in HERE.parents if (p / "shared/reference").is_dir()), None)

# document, words of the row, "file::test" or why not.
TRIED = [
    ("hub", "All rows", "test_login::test_session_names_count_up"),
    ("hub", "Ethernet frame accepted from", "test_hub::test_sizes_that_are_dropped"),
    ("hub", "Queue behaviour measured", "ours: staging is bounded by bytes and age, test_slow_client"),
    ("hub", "Length < 14 or > 1600", "test_hub::test_sizes_that_pass"),
    ("hub", "insert an 802.1Q tag", "test_policy::test_vlan"),
    ("hub", "Trim: bytes behind", "test_hub::test_padding_behind_ip_is_cut_off"),
    ("hub", "A truncated ARP/IPv4", "test_policy::test_headers"),
    ("hub", "unknown L3 and forwarded", "test_policy::test_headers"),
    ("hub", "is completed", "ours: a bridge switches offloads off, test_bridge_netdev looks at the checksums"),
    ("hub", "Ethernet sanity", "test_hub::test_impossible_source"),
    ("hub", "it can never inject", "test_policy::test_monitor"),
    ("hub", "destination known on S itself", "test_hub::test_destination_on_the_same_session"),
    ("hub", "unknown unicast counts as flood", "ours: leaky buckets, test_policy_options::test_storm"),
    ("hub", "So MaxMac=1 behaves as 3", "test_policy::test_limits"),
    ("hub", "else the entry moves to S at once", "test_hub::test_a_station_that_moves"),
    ("hub", "All entries of a session vanish", "test_hub::test_addresses_go_with_their_session"),
    ("hub", "So MaxIP=2 behaves as 4", "test_policy::test_limits"),
    ("hub", "public source addresses", "test_policy::test_public_addresses_are_not_counted"),
    ("hub", "first probe after about 10 s", "ours: the first probe may come earlier, test_policy_options::test_polling"),
    ("hub", "**unicast** ARP request", "ours: as above"),
    ("hub", "error 108", "test_policy_login::test_code"),
    ("hub", "are forced into the session's copy", "test_policy_login::test_policy_of_the_mode"),
    ("hub", "| NoBridge | at most", "test_policy::test_modes"),
    ("hub", "| NoRouting | at most", "test_policy::test_modes"),
    ("hub", "one source to one destination IP", "ours: leaky buckets, test_policy_options::test_storm"),
    ("hub", "no spanning tree and no loop detection", "ours: the loop guard, test_policy_options::test_loop"),
    ("hub", "always has it", "test_policy_login::test_administrator"),
    ("hub", "Gets one copy of every frame", "test_policy::test_monitor"),
    ("hub", "get frames later blocked by the *destination's*", "test_policy::test_monitor_sees_what_receivers_do_not"),
    ("hub", "Anything it sends is dropped", "test_policy::test_monitor"),
    ("hub", "frames are not delivered", "test_policy::test_vlan"),
    ("hub", "Viewpoint differs", "ours: the original counts up 10 s late, test_policy_change::test_traffic_of_users_and_groups"),
    ("hub", "lists all hubs with NoEnum=0", "test_login::test_enum_hub"),
    ("policy", "has its own policy", "test_policy_login::test_user_then_group_then_default"),
    ("policy", "else its group has one", "test_policy_login::test_user_then_group_then_default"),
    ("policy", "VPN login as `administrator`", "test_policy_login::test_administrator"),
    ("policy", "| 3 | DHCPForce", "test_policy::test_dhcp_force"),
    ("policy", "| 6 | CheckMac", "test_policy::test_duplicates"),
    ("policy", "| 7 | CheckIP", "test_policy::test_duplicates"),
    ("policy", "| 8 | ArpDhcpOnly", "test_policy::test_key"),
    ("policy", "| 9 | PrivacyFilter", "test_policy::test_privacy"),
    ("policy", "| 10 | NoServer", "test_policy::test_key"),
    ("policy", "| 12 | MonitorPort", "test_policy_login::test_code"),
    ("policy", "| 15 | MaxMac", "test_policy::test_limits"),
    ("policy", "| 16 | MaxIP", "test_policy::test_limits"),
    ("policy", "Measured with limit 1 000 000", "ours: token buckets, test_policy_rate and test_policy_options::test_limit"),
    ("auth", "Anonymous counts as empty here", "test_policy_login::test_code"),
    ("auth", "Password change by the user", "test_policy_login::test_password_change"),
    ("auth", "none → allow", "test_policy_login::test_source_addresses"),
    ("auth", "falls through to `*`", "ours: `*` is for those whom the hub does not know, test_auth_radius::test_anybody"),
    ("auth", "by capture. No NAS-IP-Address", "ours: requests are signed, test_auth_radius::test_what_is_asked"),
    ("auth", "Observed on 5.01: 30 s", "ours: one time for all servers, test_auth_radius::test_dead_server"),
    ("auth", "a forged reply with wrong authenticator", "ours: replies are verified, test_auth_radius::test_forged"),
    ("auth", "Tunnel-Private-Group-ID", "ours: freeradius beside Patchbay alone, test_auth_radius::test_vlan"),
    ("auth", "accepts *any* password then", "ours: no password, no way in, test_vpncmd::test_no_password_no_way_in"),
    ("access-list", "renumbered by the server", "test_access::test_stored"),
    ("access-list", "the server accepts 0", "test_access::test_stored"),
    ("access-list", "clamped on store", "ours: what is out of range is refused by name, test_access::test_errors_and_counters"),
    ("access-list", "among equals pass-rules", "test_access::test_order"),
    ("access-list", "never matches *any* rule", "test_access::test_arp_by_bare_rule"),
    ("access-list", "a condition-free rule of either family", "test_access::test_arp_by_bare_rule"),
    ("access-list", "matches **every** frame", "test_access::test_field"),
    ("access-list", "50–0 is stored", "test_access::test_stored"),
    ("access-list", "sends Established=0", "ours: what vpncmd sends is stored, test_access::test_vpncmd"),
    ("access-list", "Special sessions match", "ours: there is no SecureNAT yet, test_access_special::test_local_bridge"),
    ("access-list", "Stop at the first rule", "test_access::test_receiver"),
    ("access-list", "Measured: Delay 800", "test_access::test_delay_and_loss"),
    ("logging-admin", "Line end CRLF", "test_logs::test_security_log"),
    ("logging-admin", "no header line", "test_logs::test_line"),
    ("logging-admin", "sees own in EnumHub", "ours: by the method table, test_methods::test_lists_show_the_own_hub_alone"),
    ("logging-admin", "with private key", "ours: the key is told to nobody, test_methods::test_no_secret_leaves"),
]


@pytest.mark.parametrize("words, where", [row[1:] for row in TRIED], ids=[f"{row[0]}: {row[1]}" for row in TRIED])
def test_is_tried_on_both(words, where):
    """The test is there, and nothing keeps it from the original."""
    if where.startswith("ours: "):
        return
    file, _, name = where.partition("::")
    text = (HERE / f"{file}.py").read_text("utf-8")
    found = re.search(rf"((?:^@.*\n(?:[ )\]].*\n)*)*)^def {name}\(", text, re.M)
    assert found, f"{words}: no {where}"
    assert not re.search(r"^pytestmark = .*patchbay", text, re.M), f"{words}: {file} is not for the original"
    assert "mark.patchbay\n" not in found[1], f"{words}: {name} is not for the original"


@pytest.mark.skipif(REFERENCE is None, reason="the reference is not part of the source")
def test_no_row_is_forgotten():
    """Each line with a [T] has its row here."""
    forgotten = []
    for document in sorted({row[0] for row in TRIED}):
        mine = [words for of, words, _ in TRIED if of == document]
        for number, line in enumerate((REFERENCE / f"{document}.md").read_text("utf-8").splitlines(), 1):
            if "**[T]**" in line and "= tried on" not in line and "**[T]** tried" not in line \
                    and not any(words in line for words in mine):
                forgotten.append(f"{document}.md:{number}: {line}")
    assert not forgotten, "\n".join(forgotten)
