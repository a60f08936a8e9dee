# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash disable=SC1090
# Completion of patchbayctl for bash, out of the program itself: what it can do is what it completes.
source <(patchbayctl completion bash)
