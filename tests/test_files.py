#!/usr/bin/env python3
"""Tries what the program leaves in folders: interrupted writes, what others left there, and what is no regular file."""
import fcntl
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
import unittest

TME = os.environ.get("TME_PROGRAM", "build/bin/tme")
LEFT = ".tme-0123456789abcdef.tmp"


def tme(*args, cwd, env=None):
    return subprocess.run([TME, *args], capture_output=True, text=True, cwd=cwd, timeout=1000,
                          env=dict(os.environ, **(env or {})))


class Files(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp()

    def tearDown(self):
        shutil.rmtree(self.dir)

    def path(self, name):
        return os.path.join(self.dir, name)

    def writes(self, pid):
        """Whether the process has a file in the folder open and something is in it."""
        try:
            for fd in os.listdir(f"/proc/{pid}/fd"):
                if (os.readlink(f"/proc/{pid}/fd/{fd}").startswith(self.dir + "/")
                        and os.stat(f"/proc/{pid}/fd/{fd}").st_size > 1 << 20):
                    return True
        except OSError:
            pass
        return any(name.startswith(".tme") for name in os.listdir(self.dir))

    def interrupted(self, number, old):
        """Ends the program by a signal while it writes 100 MB. False if it was faster."""
        if old:
            with open(self.path("x.npy"), "w") as f:
                f.write(old)
        p = subprocess.Popen([TME, "eval", "x = zeros([25000000], float32); 0", "-o", "x=x.npy"], cwd=self.dir,
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while p.poll() is None and not self.writes(p.pid):
            pass
        p.send_signal(number)
        p.wait()
        return p.returncode == -number

    def test_an_interrupted_write_leaves_nothing(self):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL):
            for old in ("", "old"):
                with self.subTest(signal=number, old=old):
                    for name in os.listdir(self.dir):
                        os.unlink(self.path(name))
                    if not any(self.interrupted(number, old) for _ in range(10)):
                        self.skipTest("the disk is too fast for an interrupt")
                    if number == signal.SIGKILL and not hasattr(os, "O_TMPFILE"):
                        continue
                    left = os.listdir(self.dir)
                    self.assertIn(left, (["x.npy"],) if old else ([], ["x.npy"]))
                    if left:
                        with open(self.path("x.npy"), "rb") as f:
                            self.assertIn(f.read(3), (b"old", b"\x93NU"))

    def leave(self, name, age):
        with open(self.path(name), "w") as f:
            f.write("half")
        os.utime(self.path(name), (time.time() - age,) * 2)

    def test_what_was_left_behind_is_swept(self):
        new, locked, other = (LEFT.replace("0", c) for c in "123")
        self.leave(LEFT, 3600)
        self.leave(new, 1)
        self.leave(locked, 3600)
        self.leave(other, 3600)
        self.leave(".tme-notes.tmp", 3600)
        os.link(self.path(other), self.path("kept"))
        with open(self.path(locked)) as f:
            fcntl.flock(f, fcntl.LOCK_EX)
            r = tme("eval", "1", "-o", "x.npy", cwd=self.dir)
        self.assertEqual(r.returncode, 0, r.stderr)
        self.assertEqual(sorted(os.listdir(self.dir)),
                         sorted([new, locked, other, ".tme-notes.tmp", "kept", "x.npy"]))

    def trace(self, path):
        r = tme("eval", "sin(arange(8.0))", cwd=self.dir, env={"TME_PROFILE": path, "TME_BACKEND": "nojit"})
        self.assertEqual(r.returncode, 0, r.stderr)
        return r.stderr

    def test_a_trace_replaces_regular_files_alone(self):
        with open(self.path("file"), "w") as f:
            f.write("old")
        os.chmod(self.path("file"), 0o640)
        os.symlink("file", self.path("link"))
        os.symlink("new", self.path("dangling"))
        os.symlink("/dev/null", self.path("null"))
        os.mkfifo(self.path("fifo"))
        os.mkdir(self.path("folder"))
        for name, target in (("link", "file"), ("dangling", "new"), ("fresh", "fresh")):
            self.assertEqual(self.trace(name), "")
            with open(self.path(target)) as f:
                self.assertIn("traceEvents", json.load(f))
        for name, why in (("null", "not a regular file"), ("fifo", "not a regular file"), ("folder", "a directory"),
                          ("none/x", "No such file"), ("/dev/stdout", "")):
            self.assertIn("TME_PROFILE: ", self.trace(name))
            self.assertIn(why, self.trace(name))
        for name in ("link", "dangling", "null"):
            self.assertTrue(os.path.islink(self.path(name)))
        self.assertTrue(stat.S_ISFIFO(os.stat(self.path("fifo")).st_mode))
        self.assertEqual(stat.S_IMODE(os.stat(self.path("file")).st_mode), 0o640)
        self.assertEqual(sorted(os.listdir(self.dir)),
                         ["dangling", "fifo", "file", "folder", "fresh", "link", "new", "null"])

    def test_a_device_stays_a_device(self):
        try:
            os.mknod(self.path("device.npy"), stat.S_IFCHR | 0o600, os.makedev(1, 3))
        except PermissionError:
            self.skipTest("no device can be made here")
        self.assertIn("not a regular file", self.trace("device.npy"))
        r = tme("eval", "1", "-o", "device.npy", cwd=self.dir)
        self.assertEqual(r.returncode, 1)
        self.assertIn("not a regular file", r.stderr)
        self.assertTrue(stat.S_ISCHR(os.stat(self.path("device.npy")).st_mode))
        self.assertEqual(os.listdir(self.dir), ["device.npy"])

    def test_an_open_descriptor_is_not_replaced(self):
        os.symlink("/proc/self/fd/1", self.path("out.npy"))
        with open(self.path("target"), "w") as f:
            r = subprocess.run([TME, "eval", "x = 1; 2 + 3", "-o", "x=out.npy"], stdout=f, stderr=subprocess.PIPE,
                               text=True, cwd=self.dir, timeout=1000)
        self.assertEqual(r.returncode, 1)
        self.assertIn("out.npy': it is an open descriptor", r.stderr)
        self.assertEqual(sorted(os.listdir(self.dir)), ["out.npy", "target"])


if __name__ == "__main__":
    unittest.main(exit=True)
