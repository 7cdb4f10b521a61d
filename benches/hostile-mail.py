#!/usr/bin/env python3
"""Sends messages that are made to be expensive, and beside slow senders, to a running Depesch; prints what each costs.

    DEPESCH=target/release/depesch benches/hostile-mail.py [KIND...]

For each kind a daemon of its own, in a throw-away directory, with mail in on this machine's loopback only. While a message
is handled, a greeting (the 220 of a new connection), /healthz and the API are asked again and again: the longest delays
count. Less than two minutes for all kinds, however slow the program is: what takes longer than 10 s is cut off and shown
as "> 10". Needs Linux and python3.
"""
import os, pathlib, shutil, signal, socket, subprocess, sys, tempfile, threading, time, urllib.request

LIMIT = 10.0
PROJECT = pathlib.Path(__file__).resolve().parent.parent
DEPESCH = os.path.abspath(os.environ.get("DEPESCH", PROJECT / "target/release/depesch"))
LIST = "media@lists.example.org"


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


class Daemon:
    def __init__(self):
        self.work = tempfile.mkdtemp(prefix="hostile-mail-")
        self.smtp, self.http = free_port(), free_port()
        self.config = f"{self.work}/depesch.toml"
        with open(self.config, "w") as file:
            file.write(
                'state_directory = "state"\ntransport = "capture"\n[control]\nsocket = "control.sock"\n'
                f'[monitor]\naddress = "127.0.0.1:{self.http}"\n[inbound]\nsmtp = ["127.0.0.1:{self.smtp}"]\n'
                'host_name = "lists.example.org"\npostmaster = "drift@example.org"\nresolvers = ["127.0.0.1:9"]\n')
        log = open(f"{self.work}/log", "wb")
        arguments = [DEPESCH, "--config", self.config, "serve", "--create"]
        self.process = subprocess.Popen(arguments, stdout=log, stderr=log, env={**os.environ, "MALLOC_ARENA_MAX": "2"})
        until = time.monotonic() + 20
        while self.control("status") is None or not self.greets():
            if time.monotonic() > until or self.process.poll() is not None:
                raise SystemExit(f"the daemon does not start: {open(f'{self.work}/log').read()}")
            time.sleep(0.1)
        self.control("list", "import", str(PROJECT / "subscribers/lists.toml"))
        self.control("subscriber", "add", "karin.ek@example.org")

    def control(self, *arguments, timeout=LIMIT):
        try:
            done = subprocess.run([DEPESCH, "--config", self.config, *arguments], capture_output=True, timeout=timeout)
            return done.stdout.decode() if done.returncode == 0 else None
        except subprocess.TimeoutExpired:
            return None

    def greets(self):
        try:
            with socket.create_connection(("127.0.0.1", self.smtp), timeout=LIMIT) as one:
                return one.recv(3) == b"220"
        except OSError:
            return False

    def memory(self, name):
        for line in open(f"/proc/{self.process.pid}/status"):
            if line.startswith(name + ":"):
                return int(line.split()[1]) // 1024
        return 0

    def end(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        shutil.rmtree(self.work, ignore_errors=True)


class Sender:
    """One SMTP connection, from any address of the loopback."""

    def __init__(self, daemon, address="127.0.0.1"):
        self.socket = socket.create_connection(("127.0.0.1", daemon.smtp), LIMIT, (address, 0))
        self.read = self.socket.makefile("rb")
        self.reply()
        self.say("EHLO mx.press.example")

    def reply(self):
        while True:
            line = self.read.readline().decode()
            if line[3:4] != "-":
                return line.strip()

    def say(self, line):
        self.socket.sendall(line.encode() + b"\r\n")
        return self.reply()

    def begin(self, to=LIST, sender="eva"):
        self.say(f"MAIL FROM:<{sender}@press.example>")
        self.say(f"RCPT TO:<{to}>")
        return self.say("DATA")

    def message(self, content, to=LIST, sender="eva"):
        self.begin(to, sender)
        self.socket.sendall(content + b"\r\n.\r\n")
        return self.reply()


class Watcher(threading.Thread):
    """Asks again and again; keeps the longest delay of each kind, in seconds."""

    def __init__(self, daemon):
        super().__init__(daemon=True)
        self.target, self.stopped, self.longest = daemon, False, {"greeting": 0.0, "healthz": 0.0}

    def run(self):
        while not self.stopped:
            for name, ask in [("greeting", self.target.greets), ("healthz", self.healthz)]:
                began = time.monotonic()
                ask()
                self.longest[name] = max(self.longest[name], time.monotonic() - began)
            time.sleep(0.05)

    def healthz(self):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{self.target.http}/healthz", timeout=LIMIT).read()
        except OSError:
            pass


def shown(seconds):
    return f"> {LIMIT:.0f}" if seconds >= LIMIT else f"{seconds:.2f}"


def head(rest="", kind=None):
    typed = f"Content-Type: {kind}\r\n" if kind else ""
    return f"From: <eva@press.example>\r\nSubject: x\r\nMIME-Version: 1.0\r\n{typed}{rest}\r\n".encode()


def style(size):
    return head(kind="text/html") + b"<html><p>" + (b"<style>" * 140 + b"\r\n") * (size // 982)


KINDS = {
    "style 250 kB, four": lambda: [style(250_000)] * 4,
    "style 1 MB": lambda: [style(1_000_000)],
    "style 2 MB, twice": lambda: [style(2_000_000)] * 2,
    "bare parts 1 MB": lambda: [head(kind="multipart/mixed; boundary=x") + b"--x\r\n\r\n" * 143_000],
    "groups in To, 3 x 10.6 MB": lambda: [head("To: " + "g:a@b;" * 1_766_666 + "\r\n")] * 3,
    "5 M fields": lambda: [head()[:-2] + b"a:\r\n" * 5_000_000],
}


def waits(daemon):
    return '"waiting"' in (daemon.control("inbound", "list", "--json") or '"waiting"')


def hostile(name):
    daemon = Daemon()
    try:
        before, watcher, messages = daemon.memory("VmHWM"), Watcher(daemon), KINDS[name]()
        watcher.start()
        # Each from its own sender: those of one are handled one after the other.
        replies = [Sender(daemon).message(one, sender=f"eva{at}")[:3] for at, one in enumerate(messages)]
        began = time.monotonic()
        while waits(daemon) and time.monotonic() - began < LIMIT:
            time.sleep(0.1)
        took = time.monotonic() - began
        watcher.stopped = True
        watcher.join(LIMIT)
        greeting, healthz = (shown(watcher.longest[one]) for one in ["greeting", "healthz"])
        print(f"{name:28}{' '.join(sorted(set(replies))):>12}{shown(took):>12}{greeting:>12}{healthz:>12}"
              f"{before:>10}{daemon.memory('VmHWM'):>10}{daemon.memory('VmRSS'):>10}", flush=True)
    finally:
        daemon.end()


def mentions(size):
    daemon = Daemon()
    try:
        watcher = Watcher(daemon)
        Sender(daemon).message(head() + b"=" * size, "media-owner@lists.example.org")
        while waits(daemon):
            time.sleep(0.1)
        before = daemon.memory("VmHWM")
        watcher.start()
        began = time.monotonic()
        daemon.control("subscriber", "record", "karin.ek@example.org")
        took = time.monotonic() - began
        watcher.stopped = True
        watcher.join(LIMIT)
        greeting, healthz = (shown(watcher.longest[one]) for one in ["greeting", "healthz"])
        print(f"{f'record, {size // 1000} kB of =':28}{'250':>12}{shown(took):>12}{greeting:>12}{healthz:>12}"
              f"{before:>10}{daemon.memory('VmHWM'):>10}{daemon.memory('VmRSS'):>10}", flush=True)
    finally:
        daemon.end()


def slow():
    """Four senders from four addresses, 8.5 MB each and then 100 bytes a second; others send beside them for 10 s."""
    daemon = Daemon()
    try:
        senders = [Sender(daemon, f"127.0.0.{number}") for number in range(2, 6)]
        for one in senders:
            one.begin()
            one.socket.sendall(head() + (b"x" * 998 + b"\r\n") * 8500)
        time.sleep(1)
        replies, began = [], time.monotonic()
        while time.monotonic() - began < LIMIT:
            for one in senders:
                try:
                    one.socket.sendall(b"x" * 98 + b"\r\n")
                except OSError:
                    pass
            for size in [5_000, 1_000_000, 10_000_000]:
                content = head() + (b"x" * 998 + b"\r\n") * (size // 1000)
                replies.append((size, Sender(daemon, "127.0.0.9").message(content)[:3]))
            time.sleep(1)
        for size in [5_000, 1_000_000, 10_000_000]:
            codes = [code for one, code in replies if one == size]
            print(f"beside four slow senders, a message of {size:>10} bytes: taken {codes.count('250')} of {len(codes)}, "
                  f"refused {len(codes) - codes.count('250')}", flush=True)
        print(f"memory at most {daemon.memory('VmHWM')} MB", flush=True)
    finally:
        daemon.end()


def main():
    wanted = sys.argv[1:]
    chosen = lambda name: not wanted or any(one in name for one in wanted)
    print(f"{'':28}{'taken':>12}{'handled s':>12}{'greeting s':>12}{'healthz s':>12}{'MB before':>10}{'MB most':>10}{'MB after':>10}")
    for name in KINDS:
        if chosen(name):
            hostile(name)
    for size in [16_000, 300_000]:
        if chosen("record"):
            mentions(size)
    if chosen("slow"):
        slow()


main()
