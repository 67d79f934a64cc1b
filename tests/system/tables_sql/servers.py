"""Private MariaDB and PostgreSQL servers: own directory, own user when we are root, own port.

Only processes that were started here are signalled, by their ids; the system's services are neither
used nor touched."""
import contextlib
import os
import pathlib
import pwd
import shutil
import signal
import socket
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../lib"))
from instance import DEADLINE, free_port, is_stopped, wait_until  # noqa: E402

PASSWORD = "s'ame \\x#1"


def find(name, *folders):
    for folder in folders:
        if (pathlib.Path(folder) / name).exists():
            return str(pathlib.Path(folder) / name)
    return shutil.which(name)


def unprivileged():
    """Arguments for subprocess: both servers refuse to be root."""
    if os.getuid() != 0:
        return {}
    user = pwd.getpwnam("nobody")
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


class Server:
    """One server in DIR.  Subclasses say how it is made, started and asked."""

    def __init__(self, work):
        self.dir = pathlib.Path(work) / self.name
        self.dir.mkdir(mode=0o755)
        self.who = unprivileged()
        if self.who:
            os.chown(self.dir, self.who["user"], self.who["group"])
        self.port = free_port()
        self.proc = None
        self.log = open(self.dir.parent / f"{self.name}.log", "ab")
        self.make()
        self.start()
        self.fill()

    def run(self, *args, input=None, check=True):
        p = subprocess.run([str(a) for a in args], input=input, cwd=self.dir, capture_output=True,
                           text=True, timeout=DEADLINE, **self.who)
        if check and p.returncode != 0:
            raise AssertionError(f"{args[0]}: {p.stdout[-500:]} {p.stderr[-1500:]}")
        return p.stdout

    def start(self):
        self.proc = subprocess.Popen([str(a) for a in self.command()], cwd=self.dir, stdout=self.log,
                                     stderr=self.log, stdin=subprocess.DEVNULL, **self.who)

        def up():
            if self.proc.poll() is not None:
                raise AssertionError(f"{self.name} ended: " + self.said()[-1500:])
            return self.answers()
        wait_until(up, self.name)

    def said(self):
        return (self.dir.parent / f"{self.name}.log").read_text(errors="replace")

    def family(self):
        """Its process and its children's."""
        out = subprocess.run(["ps", "-o", "pid=", "--ppid", str(self.proc.pid)], capture_output=True,
                             text=True).stdout
        return [self.proc.pid, *map(int, out.split())]

    def signal(self, number):
        for pid in self.family():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def freeze(self):
        self.signal(signal.SIGSTOP)
        wait_until(lambda: all(map(is_stopped, self.family())), f"{self.name} to stop")

    def thaw(self):
        self.signal(signal.SIGCONT)

    def stop(self):
        if self.proc is None:
            return
        self.thaw()
        self.proc.send_signal(self.end_signal)
        try:
            self.proc.wait(timeout=DEADLINE)
        except subprocess.TimeoutExpired:
            self.signal(signal.SIGKILL)
            self.proc.wait()
        self.proc = None

    def tcp_answers(self):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
            return True
        return False


ROWS = [("user@virt.test", "user/"), ("one@a.test", "first@x.test"), ("many@a.test", "b@x.test"),
        ("many@a.test", "a@x.test"), ("o'brien@a.test", "quoted@x.test"), ("empty@a.test", ""),
        ("back\\slash@a.test", "slash@x.test"), ("null@a.test", None), ("plain", "plain-value"),
        ("@a.test", "catchall@x.test"), ("bücher@münchen.test", "käse@x.test"),
        ("user@noat.test", "noat"), ("user@nolocal.test", "@x.test"), ("a.test", "domain")]


def certificates(folder):
    """A CA, a server's certificate for 127.0.0.1, and a CA that signed nothing.  None: no openssl."""
    openssl = shutil.which("openssl")
    if openssl is None:
        return None
    folder.mkdir(mode=0o755)

    def call(*args):
        subprocess.run([openssl, *map(str, args)], cwd=folder, check=True, capture_output=True,
                       timeout=DEADLINE)
    for ca in ("ca", "other"):
        call("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-keyout", f"{ca}.key", "-out",
             f"{ca}.pem", "-subj", f"/CN={ca}", "-addext", "basicConstraints=critical,CA:TRUE")
    (folder / "names").write_text("subjectAltName=IP:127.0.0.1,DNS:db.test\n")
    call("req", "-newkey", "rsa:2048", "-nodes", "-keyout", "server.key", "-out", "server.csr", "-subj",
         "/CN=127.0.0.1")
    call("x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days",
         "30", "-extfile", "names", "-out", "server.pem")
    return folder


def literal(value, backslash):
    if value is None:
        return "NULL"
    value = value.replace("'", "''")
    return "'" + (value.replace("\\", "\\\\") if backslash else value) + "'"


def inserts(backslash):
    return "".join(f"INSERT INTO t VALUES ({literal(k, backslash)}, {literal(v, backslash)});\n"
                   for k, v in ROWS)


class MariaDb(Server):
    name, end_signal, type = "mariadb", signal.SIGTERM, "mysql"
    program = find("mariadbd", "/usr/sbin", "/usr/libexec", "/usr/local/sbin")
    client = shutil.which("mariadb")
    installer = shutil.which("mariadb-install-db")

    @classmethod
    def missing(cls):
        if not (cls.program and cls.client and cls.installer):
            return "no MariaDB server here"

    def make(self):
        self.tls = certificates(self.dir / "tls")
        if self.tls and self.who:
            os.chown(self.tls / "server.key", self.who["user"], self.who["group"])
        user = pwd.getpwuid(self.who.get("user", os.getuid())).pw_name
        self.run(self.installer, "--no-defaults", f"--user={user}", f"--datadir={self.dir}/data",
                 "--auth-root-authentication-method=normal", "--skip-test-db", "--skip-name-resolve")

    def command(self):
        tls = [f"--ssl-ca={self.tls}/ca.pem", f"--ssl-cert={self.tls}/server.pem",
               f"--ssl-key={self.tls}/server.key"] if self.tls else []
        return [self.program, "--no-defaults", *tls, f"--datadir={self.dir}/data",
                f"--socket={self.socket()}", f"--port={self.port}", "--bind-address=127.0.0.1",
                f"--pid-file={self.dir}/pid", "--skip-name-resolve", "--character-set-server=utf8mb4",
                "--innodb-buffer-pool-size=16M", "--innodb-fast-shutdown=2"]

    def socket(self):
        return self.dir / "my.sock"

    def sql(self, text, check=True):
        return self.run(self.client, "--no-defaults", f"--socket={self.socket()}", "-u", "root", "-N",
                        "--default-character-set=utf8mb4", input=text, check=check)

    def answers(self):
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as s:
            s.connect(str(self.socket()))
            return "1" in self.sql("SELECT 1", check=False)
        return False

    def fill(self):
        password = literal(PASSWORD, True)
        self.sql("CREATE DATABASE mail CHARACTER SET utf8mb4; USE mail;\n"
                 "CREATE TABLE t (k VARCHAR(200) COLLATE utf8mb4_bin, v TEXT);\n" + inserts(True)
                 + "DELIMITER //\nCREATE PROCEDURE found(IN p VARCHAR(200)) READS SQL DATA\n"
                   "BEGIN SELECT v FROM t WHERE k = p; END//\n"
                   "CREATE PROCEDURE silent(IN p VARCHAR(200)) READS SQL DATA BEGIN DECLARE x TEXT;\n"
                   "SELECT max(v) INTO x FROM t; END//\n"
                   "CREATE PROCEDURE twice(IN p VARCHAR(200)) READS SQL DATA\n"
                   "BEGIN SELECT 1; SELECT 2; END//\nDELIMITER ;\n"
                 + f"CREATE USER post@'%' IDENTIFIED BY {password};\n"
                   f"CREATE USER post@localhost IDENTIFIED BY {password};\n"
                   "GRANT SELECT, EXECUTE ON mail.* TO post@'%'; GRANT SELECT, EXECUTE ON mail.*"
                   " TO post@localhost;\n"
                   f"CREATE USER sealed@'%' IDENTIFIED BY {password} REQUIRE SSL;\n"
                   "GRANT SELECT ON mail.* TO sealed@'%';")

    def connections(self):
        return int(self.sql("SELECT count(*) FROM information_schema.processlist WHERE user = 'post'"))

    def hosts(self):
        return [f"unix:{self.socket()}", f"inet:127.0.0.1:{self.port}"]


class PostgreSql(Server):
    name, end_signal, type = "postgresql", signal.SIGINT, "pgsql"
    bindir = next(iter(sorted(map(str, pathlib.Path("/usr/lib/postgresql").glob("*/bin")),
                              reverse=True)), "/usr/bin")
    program = find("postgres", bindir)
    initdb = find("initdb", bindir)
    client = find("psql", bindir)

    @classmethod
    def missing(cls):
        if not (cls.program and cls.initdb and cls.client):
            return "no PostgreSQL server here"

    def make(self):
        self.run(self.initdb, "-D", self.dir / "data", "-U", "boss", "-A", "scram-sha-256", "-E",
                 "UTF8", "--no-locale", "--no-sync", f"--pwfile={self.password_file()}")
        (self.dir / "pgpass").write_text(f"*:*:*:boss:{PASSWORD}".replace("\\", "\\\\"))
        (self.dir / "pgpass").chmod(0o600)
        if self.who:
            os.chown(self.dir / "pgpass", self.who["user"], self.who["group"])

    def password_file(self):
        path = self.dir / "password"
        path.write_text(PASSWORD + "\n")
        return path

    def command(self):
        return [self.program, "-D", self.dir / "data", "-p", self.port, "-k", self.dir, "-c",
                "listen_addresses=127.0.0.1", "-c", "fsync=off", "-c", "max_connections=20"]

    def psql(self, text, database="mail", check=True):
        env = f"PGPASSFILE={self.dir}/pgpass"
        return self.run("env", env, self.client, "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h",
                        self.dir, "-p", self.port, "-U", "boss", database, input=text, check=check)

    sql = psql

    def answers(self):
        return "1" in self.psql("SELECT 1", "template1", check=False)

    def fill(self):
        self.psql("CREATE DATABASE mail;", "template1")
        self.psql("CREATE TABLE t (k text, v text);\n" + inserts(False)
                  + "CREATE FUNCTION found(p text) RETURNS SETOF text LANGUAGE sql AS"
                    " 'SELECT v FROM t WHERE k = p';\n"
                    f"CREATE ROLE post LOGIN PASSWORD {literal(PASSWORD, False)};\n"
                    "GRANT SELECT ON t TO post;")

    def connections(self):
        return int(self.psql("SELECT count(*) FROM pg_stat_activity WHERE usename = 'post'"))

    def hosts(self):
        return [f"unix:{self.dir}/.s.PGSQL.{self.port}", f"inet:127.0.0.1:{self.port}"]
