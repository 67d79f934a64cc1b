"""Certificates for the tests: an authority, servers and clients, made with the openssl program."""
import subprocess


def openssl(*args, **kw):
    return subprocess.run(["openssl", *map(str, args)], check=True, capture_output=True, **kw).stdout


class Authority:
    def __init__(self, directory):
        self.dir = directory
        self.key, self.cert = directory / "ca.key", directory / "ca.pem"
        self.serial = 100
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                "-keyout", self.key, "-out", self.cert, "-days", "30", "-subj", "/CN=Test CA",
                "-addext", "basicConstraints=critical,CA:TRUE")

    def issue(self, name, algorithm="ec", subject=None, signed=True, purpose="serverAuth", san=None):
        """NAME.key and NAME.pem; unsigned: self-signed."""
        key, cert = self.dir / f"{name}.key", self.dir / f"{name}.pem"
        new = (["-newkey", "rsa:2048"] if algorithm == "rsa" else
               ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"])
        san = san or f"DNS:{subject or name}"
        self.serial += 1
        sign = ["-CA", self.cert, "-CAkey", self.key] if signed else []
        openssl("req", "-x509", *new, *sign, "-nodes", "-keyout", key, "-out", cert, "-days", "90",
                "-subj", f"/CN={subject or name}", "-set_serial", self.serial,
                "-addext", f"extendedKeyUsage={purpose}",
                "-addext", "keyUsage=digitalSignature,keyEncipherment",
                "-addext", f"subjectAltName={san}",
                "-addext", "authorityInfoAccess=OCSP;URI:http://127.0.0.1/",
                "-addext", "basicConstraints=critical,CA:FALSE")
        key.chmod(0o600)
        return key, cert

    def serial_of(self, cert):
        return int(openssl("x509", "-in", cert, "-noout", "-serial").decode().split("=")[1], 16)

    def fingerprint(self, cert, digest="sha256"):
        out = openssl("x509", "-in", cert, "-noout", "-fingerprint", f"-{digest}").decode()
        return out.strip().split("=")[1]

    def key_fingerprint(self, cert, digest="sha256"):
        pem = openssl("x509", "-in", cert, "-noout", "-pubkey")
        der = openssl("pkey", "-pubin", "-outform", "DER", input=pem)
        text = openssl("dgst", f"-{digest}", "-c", input=der).decode()
        return text.strip().split("= ")[1].upper()

    def staple(self, cert, path):
        """A good OCSP response for CERT."""
        index = self.dir / "index.txt"
        index.write_text(f"V\t491231235959Z\t\t{self.serial_of(cert):X}\tunknown\t/CN=x\n")
        request = self.dir / "ocsp.req"
        openssl("ocsp", "-issuer", self.cert, "-cert", cert, "-reqout", request, "-no_nonce")
        openssl("ocsp", "-index", index, "-rsigner", self.cert, "-rkey", self.key, "-CA", self.cert,
                "-reqin", request, "-respout", path, "-ndays", "7")
        return path
