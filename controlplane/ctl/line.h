/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_CONTROLPLANE_CTL_LINE_H
#define PATCHBAY_CONTROLPLANE_CTL_LINE_H

#include <stdbool.h>

#define CTL_LINE_WORDS_MAX 128u

/*
 * Runs one command line: argv[0] is its first word (not the program), argv[argc] NULL. Output goes to stdout, what is
 * wrong to stderr. `socket_path` and `json` hold where the line does not say otherwise. Exit status of patchbayctl.
 */
int ctl_line(int argc, char *const argv[], const char *socket_path, bool json);

/*
 * Cuts `text` into words, in place: blanks part them; '...' and "..." keep them together, \ takes the next character
 * as it is (not within '...'); # begins a comment. words[count] becomes NULL. The count, or -1 when a quote does not
 * end or there are more than CTL_LINE_WORDS_MAX.
 */
int ctl_words(char *text, char *words[CTL_LINE_WORDS_MAX + 1]);

#endif
