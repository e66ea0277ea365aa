# Runs the program of its arguments and passes SIGTERM on to it. Processes that lose
# their parent below it become its children. It ends when the program does, or when
# its standard input does, and kills what is left below it then.
import ctypes
import os
import select
import signal
import sys

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
prctl = ctypes.CDLL(None).prctl
if prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
    sys.exit("no subreaper")

woken, wake = os.pipe()
os.set_blocking(wake, False)
signal.set_wakeup_fd(wake)
for number in signal.SIGCHLD, signal.SIGTERM:
    signal.signal(number, lambda *_: None)

program = os.fork()
if program == 0:
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.execvp(sys.argv[1], sys.argv[1:])

running = True
while running:
    ready, _, _ = select.select([0, woken], [], [])
    if 0 in ready:
        break
    if signal.SIGTERM in os.read(woken, 512):
        os.kill(program, signal.SIGTERM)
    while running:
        ended, _ = os.waitpid(-1, os.WNOHANG)
        if ended == 0:
            break
        running = ended != program


def children():
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open("/proc/" + name + "/stat") as stat:
                    parent = stat.read().rpartition(")")[2].split()[1]
            except OSError:
                continue
            if int(parent) == os.getpid():
                yield int(name)


while True:
    for child in children():
        os.kill(child, signal.SIGKILL)
    try:
        os.waitpid(-1, 0)
    except ChildProcessError:
        break
