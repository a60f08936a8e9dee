/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_CONTROLPLANE_ADMIN_METHOD_LIST_H
#define PATCHBAY_CONTROLPLANE_ADMIN_METHOD_LIST_H

/*
 * Which methods there are. Each stands beside its handler as `const struct admin_method admin_method_<symbol>`;
 * a method that is missing here does not exist, one that is missing there does not link. Sorted by name
 * without regard to case (the lookup is a binary search; a test checks).
 */

#include "controlplane/admin/method.h"

#define ADMIN_METHOD_LIST(X)              \
	X(add_access)                     \
	X(add_ca)                         \
	X(add_crl)                        \
	X(add_local_bridge)               \
	X(create_group)                   \
	X(create_hub)                     \
	X(create_listener)                \
	X(create_user)                    \
	X(del_crl)                        \
	X(delete_access)                  \
	X(delete_ca)                      \
	X(delete_group)                   \
	X(delete_hub)                     \
	X(delete_ip_table)                \
	X(delete_listener)                \
	X(delete_local_bridge)            \
	X(delete_mac_table)               \
	X(delete_session)                 \
	X(delete_user)                    \
	X(disconnect_connection)          \
	X(enable_listener)                \
	X(enum_access)                    \
	X(enum_ca)                        \
	X(enum_connection)                \
	X(enum_crl)                       \
	X(enum_ethernet)                  \
	X(enum_group)                     \
	X(enum_hub)                       \
	X(enum_ip_table)                  \
	X(enum_listener)                  \
	X(enum_local_bridge)              \
	X(enum_log_file)                  \
	X(enum_mac_table)                 \
	X(enum_session)                   \
	X(enum_user)                      \
	X(flush)                          \
	X(get_ac_list)                    \
	X(get_admin_msg)                  \
	X(get_bridge_support)             \
	X(get_ca)                         \
	X(get_caps)                       \
	X(get_config)                     \
	X(get_connection_info)            \
	X(get_crl)                        \
	X(get_default_hub_admin_options)  \
	X(get_group)                      \
	X(get_hub)                        \
	X(get_hub_admin_options)          \
	X(get_hub_ext_options)            \
	X(get_hub_log)                    \
	X(get_hub_msg)                    \
	X(get_hub_radius)                 \
	X(get_hub_status)                 \
	X(get_server_cert)                \
	X(get_server_cipher)              \
	X(get_server_cipher_list)         \
	X(get_server_info)                \
	X(get_server_status)              \
	X(get_session_status)             \
	X(get_sys_log)                    \
	X(get_user)                       \
	X(patchbay_add_access)            \
	X(patchbay_enable_access)         \
	X(patchbay_enum_lcore)            \
	X(patchbay_enum_method)           \
	X(patchbay_enum_policy)           \
	X(patchbay_enum_udp)              \
	X(patchbay_get_listener_counters) \
	X(patchbay_get_log_status)        \
	X(patchbay_get_stats)             \
	X(patchbay_get_store)             \
	X(patchbay_import)                \
	X(patchbay_quiesce)               \
	X(patchbay_reload)                \
	X(patchbay_replace_access)        \
	X(patchbay_test_access)           \
	X(patchbay_upload)                \
	X(read_log_file)                  \
	X(reboot_server)                  \
	X(regenerate_server_cert)         \
	X(set_access_list)                \
	X(set_ac_list)                    \
	X(set_config)                     \
	X(set_crl)                        \
	X(set_group)                      \
	X(set_hub)                        \
	X(set_hub_admin_options)          \
	X(set_hub_ext_options)            \
	X(set_hub_log)                    \
	X(set_hub_msg)                    \
	X(set_hub_online)                 \
	X(set_hub_radius)                 \
	X(set_server_cert)                \
	X(set_server_cipher)              \
	X(set_server_password)            \
	X(set_sys_log)                    \
	X(set_user)                       \
	X(test)

#define X(symbol) extern const struct admin_method admin_method_##symbol;
ADMIN_METHOD_LIST(X)
#undef X

#endif
