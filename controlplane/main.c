/* SPDX-License-Identifier: BSD-3-Clause */
/* patchbayd: the order in which everything comes up, and in reverse goes. */

#include <errno.h>
#include <linux/close_range.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "controlplane/access.h"
#include "controlplane/access_list.h"
#include "controlplane/access_names.h"
#include "controlplane/admin/admin.h"
#include "controlplane/banner.h"
#include "controlplane/bridges.h"
#include "controlplane/certificate.h"
#include "controlplane/config.h"
#include "controlplane/control.h"
#include "controlplane/counters.h"
#include "controlplane/directory.h"
#include "controlplane/eal.h"
#include "controlplane/hubs.h"
#include "controlplane/listener.h"
#include "controlplane/log.h"
#include "controlplane/logs/logs.h"
#include "controlplane/logs/syslog_out.h"
#include "controlplane/metrics.h"
#include "controlplane/notify.h"
#include "controlplane/options.h"
#include "controlplane/reload.h"
#include "controlplane/slow.h"
#include "controlplane/state.h"
#include "controlplane/store.h"
#include "controlplane/syslog_target.h"
#include "controlplane/telemetry.h"
#include "controlplane/tls_context.h"
#include "controlplane/wiped_heap.h"
#include "dataplane/fdb.h"
#include "dataplane/grace.h"
#include "dataplane/lcore.h"
#include "drivers/bridge/bridge.h"
#include "drivers/session/session.h"
#include "drivers/session/session_udp.h"

/* For a helper to come back at the end, behind what the sessions took (control.c). */
#define STUCK_MS 300u

static void report_line(void *, const char *line)
{
	fprintf(stderr, "%s\n", line);
}

/* In the log, and for who started us on stderr, if that is not the same. */
static bool log_is_stderr;

static void report_logged(void *ctx, const char *line)
{
	log_error(ctx, "%s", line);
	if (!log_is_stderr)
		report_line(NULL, line);
}

static int set_state_dir(struct config *config, const char *path)
{
	char *cwd, *absolute;
	int rc;

	if (path == NULL || path[0] == '/')
		return path == NULL ? 0 : config_set_state_dir(config, path);
	cwd = getcwd(NULL, 0);
	if (cwd == NULL)
		return -errno;
	rc = asprintf(&absolute, "%s/%s", cwd, path) < 0 ? -ENOMEM : 0;
	free(cwd);
	if (rc == 0) {
		rc = config_set_state_dir(config, absolute);
		free(absolute);
	}
	return rc;
}

static const char *config_path(const struct options *options)
{
	if (options->config != NULL)
		return options->config;
	return access(OPTIONS_CONFIG_DEFAULT, F_OK) == 0 ? OPTIONS_CONFIG_DEFAULT : NULL;
}

/* Which thread runs where on this machine; what does not fit is reported. */
static int plan_cpus(const struct config *config, struct eal_plan *plan)
{
	cpu_set_t allowed;
	char error[256];
	int rc;

	if (sched_getaffinity(0, sizeof(allowed), &allowed) < 0) {
		rc = -errno;
		snprintf(error, sizeof(error), "this process's CPUs cannot be told: %s",
			strerror(errno));
	} else {
		rc = eal_plan(config, &allowed, plan, error, sizeof(error));
	}
	if (rc < 0)
		report_line(NULL, error);
	return rc;
}

/* What is well-formed and yet would not start here. */
static unsigned check_machine(const struct config *config)
{
	struct eal_plan plan;
	char error[256];
	unsigned errors = plan_cpus(config, &plan) < 0;

	if (!tls_context_ciphers_ok(
		    config->tls_ciphers, config->tls_ciphersuites, error, sizeof(error))) {
		report_line(NULL, error);
		errors++;
	}
	return errors;
}

/* Every error of both files. */
static int check(const struct options *options, struct config *config, unsigned errors)
{
	int rc = store_init(config->state_dir);

	if (rc == 0)
		rc = store_load(report_line, NULL);
	store_fini();
	if (errors == 0)
		errors = check_machine(config);
	if (errors == 0 && (rc == 0 || rc == -ENOENT)) {
		const char *path = config_path(options);

		printf("%s: no errors\n", path != NULL ? path : "built-in defaults");
		printf("%s/directory.cfg: %s\n", config->state_dir,
			rc == 0 ? "no errors" : "not there yet");
		return EXIT_SUCCESS;
	}
	return EXIT_FAILURE;
}

static void prepare_process(void)
{
	struct rlimit files;

	umask(077);
	signal(SIGPIPE, SIG_IGN);
	/* A full quota is an error of write(), not the end of us. */
	signal(SIGXFSZ, SIG_IGN);
	if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < files.rlim_max) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
}

/* CPUs first, so that every thread made later inherits them. */
static int place(const struct config *config, struct eal_plan *plan)
{
	int rc = plan_cpus(config, plan);

	return rc < 0 ? rc : eal_bind(plan);
}

/* What is stored, into memory; its folder is ours by now. */
static int load_state(const struct config *config, bool *first_start)
{
	int rc = certificate_ensure(config->state_dir, report_logged, "certificate");

	if (rc == 0)
		rc = store_init(config->state_dir);
	if (rc < 0)
		return rc;
	rc = store_load(report_logged, "directory");
	*first_start = rc == -ENOENT;
	if (rc == 0)
		counters_load(config->state_dir, report_logged, "counters");
	return *first_start ? banner_first_start(config->state_dir) : rc;
}

/* Sessions work without it, so nothing ends here. */
static void start_udp(const struct config *config)
{
	int rc;

	eal_hush(true); /* a machine without the crypto driver is no worse than slower */
	rc = session_udp_open((uint16_t)config->udp_first_port);
	eal_hush(false);
	if (rc < 0)
		log_warning("session",
			"no UDP acceleration: %s (udp_acceleration.first_port is %u)",
			strerror(-rc), config->udp_first_port);
	else
		log_info("session",
			"UDP acceleration: the first worker's port is %u; version 2 by %s",
			session_udp_port(0, AF_INET), session_udp_engine());
}

/* What an auditor reads. Sessions do not work without the folder: what nobody may see nobody shall do. */
static int start_logs(const struct config *config)
{
	char folder[4096];
	struct sockaddr_storage to;
	socklen_t bytes = 0;
	struct logs_conf conf = {
		.folder = config->log_directory,
		.json = config->log_format == 1,
		.server_switch = (enum log_switch)config->log_rotation,
		.max_bytes = config->log_file_bytes,
		.packet_ring_bytes = config->log_ring_bytes,
		.min_free_bytes = (uint64_t)config->log_min_free_mb * 1000000,
	};
	int rc;

	if (conf.folder[0] == '\0') {
		snprintf(folder, sizeof(folder), "%s/logs", config->state_dir);
		conf.folder = folder;
	}
	rc = logs_init(&conf);
	if (rc < 0) {
		log_error("logs", "log.directory %s: %s", conf.folder, strerror(-rc));
		return rc;
	}
	/* What needs no name is in force from the first line on; the rest is syslog_target_renew()'s. */
	if (config->log_syslog[0] != '\0' && !directory_server_syslog()->set &&
		syslog_address(config->log_syslog, config->log_syslog_port, &to, &bytes) == 0)
		logs_syslog_set((enum logs_syslog)config->log_syslog_lines, &to, bytes);
	return 0;
}

static int start_data_path(const struct config *config)
{
	const struct lcore_conf conf = {
		.workers = config->workers,
		.poll = config->poll,
		.ring_size = config->ring_size,
		.mbufs = config->mbufs,
		.spin_us = config->spin_us,
	};
	unsigned restored = 0;
	int rc = lcore_init(&conf);

	fdb_set_total(config->mac_entries);
	if (rc == 0)
		rc = session_driver_init(config->staging_pool_bytes);
	if (rc == 0 && config->udp_enabled)
		start_udp(config);
	if (rc == 0)
		rc = bridge_driver_init(config->state_dir, &restored);
	if (restored > 0)
		log_notice("bridge",
			"offloads of %u kernel interfaces are as they were again: the last process was killed",
			restored);
	if (rc == 0)
		rc = access_names_init(config->state_dir);
	if (rc == 0)
		rc = directory_start();
	if (rc < 0)
		log_error("lcore", "the data path does not start: %s%s", strerror(-rc),
			rc == -ENOMEM ? " (eal.memory_mb or lcores.mbufs do not fit)" : "");
	return rc;
}

static int start_control(const struct config *config)
{
	int rc = control_init(config);

	if (rc == 0)
		rc = slow_init(config->slow_threads);
	if (rc == 0)
		rc = access_list_init();
	if (rc == 0)
		rc = store_start();
	if (rc == 0)
		rc = access_init(control_base(), config);
	if (rc == 0)
		rc = lcore_start();
	if (rc == 0)
		rc = control_start();
	if (rc == 0)
		rc = hubs_init();
	if (rc == 0)
		rc = bridges_start();
	if (rc == 0)
		rc = counters_start(config->state_dir, config->counters_save_s);
	if (rc < 0) {
		log_error("control", "the control thread does not start: %s", strerror(-rc));
		return rc;
	}
	rc = admin_start(config->admin_socket);
	if (rc < 0) {
		log_error("admin", "%s: %s", config->admin_socket, strerror(-rc));
		return rc;
	}
	rc = telemetry_start();
	if (rc < 0)
		log_warning(
			"control", "no commands of ours for DPDK's telemetry: %s", strerror(-rc));
	rc = metrics_start(config);
	if (rc < 0)
		return rc;
	rc = listener_start(config);
	if (rc < 0)
		log_error("listener", "no port could be opened: nothing to do");
	return rc < 0 ? rc : 0;
}

/* As we were called, for RebootServer and eal_again(). */
static struct {
	char **argv;
	cpu_set_t cpus;
} called;

/*
 * The same program again in this process, or what a package has put in its place meanwhile. Returns only if that
 * fails. Descriptors that a library left open for children are not for it, nor where our threads may run.
 */
static void begin_again(void)
{
	static const char gone[] = " (deleted)";
	char path[4096];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);
	char *end;

	if (n < 0)
		return;
	path[n] = '\0';
	end = strstr(path, gone);
	if (end != NULL && end[sizeof(gone) - 1] == '\0')
		*end = '\0';
	(void)sched_setaffinity(0, sizeof(called.cpus), &called.cpus);
	(void)close_range(STDERR_FILENO + 1, ~0u, CLOSE_RANGE_CLOEXEC);
	execv(path, called.argv);
	fprintf(stderr, "patchbayd: %s: %s\n", path, strerror(errno));
}

/* A device that does not come back from its own driver would keep us for ever. */
static void stop_slow(void)
{
	if (bridges_quiet()) {
		slow_fini();
		return;
	}
	if (slow_fini_within(STUCK_MS) == 0)
		return;
	log_warning("main", "a device is still being opened or closed: ending without it");
	logs_fini();
	log_fini();
	if (control_restarting())
		begin_again();
	_exit(EXIT_SUCCESS);
}

/* Every step takes what was never started. */
static void stop_all(void)
{
	listener_stop();
	metrics_stop();
	telemetry_stop();
	admin_stop();
	lcore_stop();
	access_fini();
	counters_stop();
	store_stop();
	stop_slow();
	bridges_fini();
	hubs_fini();
	access_list_fini();
	directory_stop();
	access_names_fini();
	grace_poll();
	session_udp_close();
	session_driver_fini();
	lcore_fini();
	bridge_driver_fini(); /* frames of devices may have stood in the workers' rings */
	control_fini();
}

/* With the EAL up: until somebody ends us. */
static int serve(const struct config *config)
{
	bool first_start = false;
	int rc = load_state(config, &first_start);

	if (rc == 0)
		rc = start_logs(config);
	if (rc < 0)
		return rc;
	rc = start_data_path(config);
	if (rc == 0)
		rc = start_control(config);
	if (rc == 0) {
		syslog_target_renew();
		banner_print(config->state_dir, first_start);
		notify_ready();
		control_run();
	}
	stop_all();
	return rc;
}

/* The EAL before all that is done once in a first start: it may want us to begin again. */
static int run(const struct config *config, const struct eal_plan *plan)
{
	int rc = state_open(config->state_dir, report_logged, "state");

	if (rc == 0)
		rc = eal_start(config, plan);
	if (rc == 0) {
		rc = serve(config);
		eal_stop();
	}
	logs_fini();
	directory_clear();
	store_fini();
	state_close();
	return rc;
}

int main(int argc, char *argv[])
{
	struct options options;
	struct config *config;
	struct eal_plan plan;
	unsigned errors;
	int status, rc;

	if (!options_parse(argc, argv, &options, &status))
		return status;
	config = config_check(config_path(&options), report_line, NULL, &errors);
	if (config == NULL || set_state_dir(config, options.state) < 0) {
		fprintf(stderr, "patchbayd: out of memory\n");
		return EXIT_FAILURE;
	}
	if (options.check) {
		status = check(&options, config, errors);
		config_free(config);
		return status;
	}
	status = EXIT_FAILURE;
	wiped_heap_init();
	prepare_process();
	called.argv = argv;
	(void)sched_getaffinity(0, sizeof(called.cpus), &called.cpus);
	if (errors == 0 && place(config, &plan) == 0) {
		log_is_stderr = config->log_file[0] == '\0';
		rc = log_init(config->log_file, config->log_level);
		if (rc < 0) {
			fprintf(stderr, "patchbayd: log.file %s: %s\n", config->log_file,
				strerror(-rc));
		} else {
			reload_init(config, config_path(&options));
			rc = run(config, &plan);
			if (!eal_again())
				log_notice("main", rc == 0 ? "ended" : "ends: it could not start");
			log_fini();
			if (rc == 0 ? control_restarting() : eal_again()) {
				begin_again();
				rc = -errno;
			}
			status = rc == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
		}
	}
	config_free(config);
	return status;
}
