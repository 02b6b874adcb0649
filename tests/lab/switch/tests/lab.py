# SPDX-License-Identifier: GPL-2.0-only
"""What the switch's tests share: the module and its knobs, tc, frames, and one line per case.

A test is a script that makes a Test, calls case() for each thing it shows, and ends with finish(). It runs
as root in the lab's virtual machine; the module's path comes as first argument or in LABNIC_KO.
"""
import ctypes
import errno
import json
import os
import select
import socket
import struct
import subprocess
import sys
import time
import traceback

sys.dont_write_bytecode = True
DEBUGFS = "/sys/kernel/debug/labnic"
PARAMETERS = "/sys/module/labnic/parameters"
HANDLE = "labnic/0000:03:00.0"
FAR = {"p0": "wire0", "pf0hpf": "host0", "pf0vf0": "vf0", "pf0vf1": "vf1", "pf0vf2": "vf2", "pf0vf3": "vf3"}
MODULES = ("sch_ingress cls_flower cls_matchall act_gact act_mirred act_pedit act_csum act_vlan "
           "act_tunnel_key act_skbedit act_police 8021q nlmon").split()


def sh(command, check=True, **kwargs):
    """Runs a shell command and returns its output, both streams as one text."""
    done = subprocess.run(command, shell=True, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **kwargs)
    if check and done.returncode:
        raise AssertionError(f"'{command}' failed with {done.returncode}: {done.stdout.strip()}")
    return done.stdout


def read(path):
    with open(path, encoding="ascii") as file:
        return file.read()


def write(path, text):
    with open(path, "w", encoding="ascii") as file:
        file.write(str(text))


def parameter(name, value):
    write(f"{PARAMETERS}/{name}", value)


def rules():
    """Every entry, as debugfs shows it."""
    return [json.loads(line) for line in read(f"{DEBUGFS}/rules").splitlines()]


def totals():
    return json.loads(read(f"{DEBUGFS}/totals"))


def wait_until(predicate, what, seconds=20):
    """Waits for an event, not for a time; the limit is only for a test that fails."""
    end = time.monotonic() + seconds
    while not predicate():
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(0.01)


def load(ko, **parameters):
    sh("modprobe -a " + " ".join(MODULES))
    sh("mountpoint -q /sys/kernel/debug || mount -t debugfs debugfs /sys/kernel/debug")
    # The namespace's defaults: no IPv6 noise on the wires.
    write("/proc/sys/net/ipv6/conf/default/disable_ipv6", 1)
    sh(f"insmod {ko} " + " ".join(f"{name}={value}" for name, value in parameters.items()))


def unload():
    sh("rmmod labnic")


def up(*devices):
    for device in devices:
        sh(f"ip link set {device} up")


def ports_up(*reps):
    """Brings both sides of the ports up and waits for their carrier."""
    for rep in reps:
        up(rep, FAR[rep])
    for rep in reps:
        for device in (rep, FAR[rep]):
            wait_until(lambda d=device: read(f"/sys/class/net/{d}/operstate").strip() == "up", f"{device} is up")


def tc_batch(commands):
    """Runs tc commands in one process, each to its end; returns what tc said about those that failed."""
    done = subprocess.run(["tc", "-force", "-batch", "-"], input="\n".join(commands) + "\n", text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    return done.stderr


def clsact(*reps):
    """Empty clsact qdiscs, whatever was there."""
    tc_batch([f"qdisc del dev {rep} clsact" for rep in reps] + [f"qdisc add dev {rep} clsact" for rep in reps])


# ---- Frames ----

def mac(text):
    return bytes.fromhex(text.replace(":", ""))


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def ethernet(dst, src, ethertype, payload, tags=()):
    """tags: (tpid, tci) from the outside in."""
    frame = mac(dst) + mac(src)
    for tpid, tci in tags:
        frame += struct.pack("!HH", tpid, tci)
    return frame + struct.pack("!H", ethertype) + payload


def ipv4(src, dst, proto, payload, ttl=64, tos=0, frag=0, options=b"", check=None):
    length = 20 + len(options)

    def header(sum16):
        return struct.pack("!BBHHHBBH4s4s", 0x40 | length // 4, tos, length + len(payload), 7, frag, ttl, proto,
                           sum16, socket.inet_aton(src), socket.inet_aton(dst)) + options

    return header(checksum(header(0)) if check is None else check) + payload


def ipv6(src, dst, proto, payload, hlim=64, tclass=0):
    return struct.pack("!IHBB", 6 << 28 | tclass << 20, len(payload), proto, hlim) + \
        socket.inet_pton(socket.AF_INET6, src) + socket.inet_pton(socket.AF_INET6, dst) + payload


def pseudo(src, dst, proto, length):
    if ":" in src:
        return socket.inet_pton(socket.AF_INET6, src) + socket.inet_pton(socket.AF_INET6, dst) + \
            struct.pack("!II", length, proto)
    return socket.inet_aton(src) + socket.inet_aton(dst) + struct.pack("!BBH", 0, proto, length)


def udp(src, dst, sport, dport, payload, check=True):
    length = 8 + len(payload)
    header = struct.pack("!HHHH", sport, dport, length, 0)
    sum16 = checksum(pseudo(src, dst, 17, length) + header + payload) or 0xffff if check else 0
    return header[:6] + struct.pack("!H", sum16) + payload


def tcp(src, dst, sport, dport, payload, flags=0x10, seq=1):
    header = struct.pack("!HHIIBBHHH", sport, dport, seq, 1, 5 << 4, flags, 8192, 0, 0)
    sum16 = checksum(pseudo(src, dst, 6, 20 + len(payload)) + header + payload)
    return header[:16] + struct.pack("!H", sum16) + header[18:] + payload


def simple(src_ip="10.0.0.1", dst_ip="10.0.0.2", dst="02:00:00:00:00:02", src="02:00:00:00:00:01", **kwargs):
    """A UDP packet that most cases are content with."""
    return ethernet(dst, src, 0x0800, ipv4(src_ip, dst_ip, 17, udp(src_ip, dst_ip, 1000, 2000, b"x" * 18), **kwargs))


class Wire:
    """Raw frames on one netdev: sends, and captures what the netdev receives, tags included."""

    def __init__(self, device):
        self.device = device
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        self.socket.bind((device, 3))
        self.socket.setsockopt(263, 8, 1)  # SOL_PACKET, PACKET_AUXDATA
        self.socket.setsockopt(socket.SOL_SOCKET, 33, 32 << 20)  # SO_RCVBUFFORCE
        self.socket.setblocking(False)
        self.drain()

    def send(self, frame, count=1):
        for _ in range(count):
            select.select([], [self.socket], [])
            self.socket.send(frame)

    def drain(self):
        """Everything received since the last time, whole frames in order."""
        frames = []
        while True:
            try:
                data, control, _, address = self.socket.recvmsg(65536, 256)
            except BlockingIOError:
                return frames
            if address[2] == 4:  # PACKET_OUTGOING: our own
                continue
            for level, kind, value in control:
                status, _, _, _, _, tci, tpid = struct.unpack("IIIHHHH", value[:20])
                if (level, kind) == (263, 8) and status & 0x10:  # TP_STATUS_VLAN_VALID
                    tpid = tpid if status & 0x40 else 0x8100
                    data = data[:12] + struct.pack("!HH", tpid, tci) + data[12:]
            frames.append(data)

    def expect(self, count, seconds=10):
        """The next count frames; fails when they do not come."""
        frames = []
        end = time.monotonic() + seconds
        while len(frames) < count:
            if time.monotonic() > end:
                raise AssertionError(f"{self.device}: {len(frames)} frames, expected {count}")
            frames += self.drain()
        return frames

    def close(self):
        self.socket.close()


# ---- Other namespaces ----

def in_netns(name, function):
    """Calls function with this thread in another network namespace."""
    libc = ctypes.CDLL(None, use_errno=True)
    with open("/proc/self/ns/net", encoding="ascii") as here, open(f"/run/netns/{name}", encoding="ascii") as there:
        if libc.setns(there.fileno(), 0x40000000):
            raise OSError(ctypes.get_errno(), f"setns {name}")
        try:
            return function()
        finally:
            libc.setns(here.fileno(), 0x40000000)


# ---- Cases ----

class Test:
    def __init__(self, **parameters):
        self.ko = sys.argv[1] if len(sys.argv) > 1 else os.environ.get("LABNIC_KO")
        if not self.ko:
            sys.exit(f"{sys.argv[0]}: no module: give labnic.ko's path, or set LABNIC_KO")
        self.failed = self.cases = 0
        self.begin = time.monotonic()
        sh("dmesg -C")
        load(self.ko, **parameters)

    def reload(self, **parameters):
        unload()
        load(self.ko, **parameters)

    def case(self, name, function):
        """Runs one case. It fails by raising."""
        self.cases += 1
        begin = time.monotonic()
        try:
            function()
            verdict = "ok"
        except AssertionError as error:
            verdict = f"FAILED: {error}"
        except Exception:  # a case must not take the others with it
            verdict = "FAILED: " + traceback.format_exc()
        if verdict != "ok":
            self.failed += 1
        print(f"  {name}: {verdict} ({time.monotonic() - begin:.2f} s)", flush=True)

    def finish(self):
        """Unloads, looks for complaints of the kernel, and exits with the verdict."""
        self.case("the module unloads", unload)
        self.case("the kernel has no complaint", no_complaint)
        print(f"{os.path.basename(sys.argv[0])}: {self.cases - self.failed} of {self.cases} cases in "
              f"{time.monotonic() - self.begin:.1f} s", flush=True)
        sys.exit(1 if self.failed else 0)


def no_complaint():
    bad = ("WARNING", "BUG", "Oops", "general protection", "refcount", "rcu:", "leak", "Call Trace", "hung",
           "waiting for")
    lines = [line for line in sh("dmesg").splitlines() if any(word in line for word in bad)]
    assert not lines, "\n".join(lines[:20])


def equal(found, expected, what=""):
    assert found == expected, f"{what}: expected {expected!r}, found {found!r}"


def errno_name(number):
    if number == errno.EOPNOTSUPP:  # Python prefers its other name
        return "EOPNOTSUPP"
    return errno.errorcode.get(number, str(number))
