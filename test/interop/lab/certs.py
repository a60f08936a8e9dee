# SPDX-License-Identifier: BSD-3-Clause
"""Keys and certificates, made by Debian's openssl."""

import dataclasses
import hashlib
import pathlib
import subprocess


def openssl(*argv, data=None):
    """Run openssl; its output."""
    return subprocess.run(["openssl", *map(str, argv)], input=data, capture_output=True, check=True).stdout


@dataclasses.dataclass
class Certificate:
    """Files in PEM, and the certificate in DER."""
    cert: pathlib.Path
    key: pathlib.Path

    @property
    def der(self):
        """The certificate."""
        return openssl("x509", "-in", self.cert, "-outform", "DER")

    def prove(self, random):
        """The signature of a login over the 20 bytes of the hello."""
        return openssl("pkeyutl", "-sign", "-inkey", self.key, "-pkeyopt", "digest:sha1",
                       "-pkeyopt", "rsa_padding_mode:pkcs1", data=hashlib.sha1(random).digest())


def make(folder, name, subject, issuer=None, serial=1, days=30, ca=False, bits=2048, extra=()):
    """A certificate, signed by itself or by another. days below 0: it has ended."""
    made = Certificate(folder / f"{name}.crt", folder / f"{name}.key")
    openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", f"rsa_keygen_bits:{bits}", "-out", made.key)
    config = folder / f"{name}.cnf"
    config.write_text("\n".join(["[x]", f"basicConstraints = critical,CA:{'TRUE' if ca else 'FALSE'}", *extra]) + "\n")
    request = openssl("req", "-new", "-key", made.key, "-subj", subject, "-utf8", "-config", "/dev/null")
    sign = ("-CA", issuer.cert, "-CAkey", issuer.key) if issuer else ("-signkey", made.key)
    openssl("x509", "-req", "-sha256", *sign, "-set_serial", serial, "-days", days, "-extfile", config,
            "-extensions", "x", "-out", made.cert, data=request)
    return made
