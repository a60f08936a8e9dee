/* SPDX-License-Identifier: BSD-3-Clause */
/* Texts of the protocol's error codes. */
#include "drivers/session/wire/wire_error.h"

const char *wire_error_text(uint32_t code)
{
	switch (code) {
#define WIRE_ERROR_TEXT(number, name, text) \
	case number:                        \
		return text;
		WIRE_ERRORS(WIRE_ERROR_TEXT)
#undef WIRE_ERROR_TEXT
	default:
		return "unknown error";
	}
}
