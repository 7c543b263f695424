"""A real Slurm of one node, from Debian's packages slurm-wlm and munge, for the time of the tests."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
import yaml
from running import TINY, Workflow

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue")
ETC = Path("/etc/slurm")
MARK = "# Written by the tests of Counterwarp.\n"
# Munge's socket is not where Debian has it, so that a munge of the machine's own is left alone. In place of cgroups, a
# job is bound to its cores and its memory is looked at. The controller remembers each job until the tests have asked.
SLURM = """{mark}ClusterName=counterwarp-tests
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmdUser=root
SlurmctldPort=26817
SlurmdPort=26818
AuthType=auth/munge
AuthInfo=socket={folder}/munge.sock,cred_expire=5
CredType=cred/munge
StateSaveLocation={folder}/ctld
SlurmdSpoolDir={folder}/slurmd
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
ProctrackType=proctrack/linuxproc
TaskPlugin=task/affinity
SwitchType=switch/none
MpiDefault=none
PropagateResourceLimits=NONE
SlurmdParameters=config_overrides
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill
KillWait=5
OverTimeLimit=0
JobRequeue=1
ReturnToService=2
MinJobAge=3600
SchedulerType=sched/backfill
SchedulerParameters=bf_interval=2,sched_interval=2,batch_sched_delay=0,sched_min_interval=0
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
AccountingStorageType=accounting_storage/none
GresTypes=gpu
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory={memory} Gres=gpu:1 State=UNKNOWN
PartitionName=cpu Nodes={host} Default=YES MaxTime=INFINITE DefaultTime=60 State=UP
PartitionName=gpu Nodes={host} Default=NO MaxTime=INFINITE DefaultTime=60 State=UP
"""
# The queue is looked at every three seconds and not every twenty.
QUICK = ("--slurm-init-seconds-before-status-checks", "3", "--latency-wait", "10")


def refuse() -> str | None:
    """Why no Slurm can be started here."""
    missing = [name for name in PROGRAMS if not shutil.which(name)]
    if missing:
        return f"no {', '.join(missing)}: apt-get install slurm-wlm munge"
    if os.geteuid() != 0:
        return "only root can start a Slurm of its own"
    config = ETC / "slurm.conf"
    if config.exists() and not config.read_text().startswith(MARK):
        return f"{config} is of another Slurm, which is left alone"
    return None


def wait_for(wanted, what: str, seconds: float = 60):
    """What `wanted` returns, as soon as that is true."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = wanted()
        if found:
            return found
        time.sleep(0.2)
    pytest.fail(f"waited {seconds} s for {what}")


def ask(*command: str) -> str:
    """What a program of Slurm prints."""
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True).stdout


class Cluster:
    """The node, and what its controller knows of jobs."""

    def __init__(self, node: str):
        self.node = node

    def jobs(self, comment: str = "", state: str = "") -> list[dict[str, str]]:
        """Jobs, oldest first, whose comment (rule and wildcards) and state begin like that."""
        text = ask("scontrol", "--oneliner", "show", "job")
        jobs = [dict(re.findall(r"(\w+)=(\S*)", line)) for line in text.splitlines() if line.startswith("JobId=")]
        jobs = [job for job in jobs if job.get("Comment", "").startswith(comment) and job["JobState"].startswith(state)]
        return sorted(jobs, key=lambda job: int(job["JobId"]))

    def state(self, job: str) -> str:
        """Of the job with this number."""
        return re.search(r"JobState=(\w+)", ask("scontrol", "show", "job", job))[1]

    def wait_for_job(self, comment: str, state: str = "RUNNING", seconds: float = 60) -> dict[str, str]:
        """The newest job of a rule, as soon as it is in this state."""
        found = wait_for(lambda: self.jobs(comment, state), f"{comment} to be {state}", seconds)
        return found[-1]


@pytest.fixture(scope="session")
def slurm() -> Cluster:
    """The cluster; its node is this machine."""
    reason = refuse()
    if reason:
        pytest.skip(reason)
    # Munge refuses a folder that others cannot enter, as pytest's own are.
    folder = Path(tempfile.mkdtemp(prefix="counterwarp-slurm-"))
    folder.chmod(0o755)
    for name in ("ctld", "slurmd"):
        (folder / name).mkdir()
    ETC.mkdir(exist_ok=True)
    host = socket.gethostname().partition(".")[0]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20 - 512
    settings = {"mark": MARK, "host": host, "folder": folder, "cpus": os.cpu_count(), "memory": memory}
    (ETC / "slurm.conf").write_text(SLURM.format(**settings))
    # A GPU that is only counted is counted as none.
    (ETC / "gres.conf").write_text(f"AutoDetect=off\nNodeName={host} Name=gpu File=/dev/null\n")
    (ETC / "cgroup.conf").write_text("CgroupPlugin=cgroup/v1\n")
    key = folder / "munge.key"
    key.write_bytes(os.urandom(1024))
    key.chmod(0o400)
    files = {"key-file": key, "socket": folder / "munge.sock", "pid-file": folder / "munged.pid"}
    files |= {"log-file": folder / "munged.log", "seed-file": folder / "munged.seed"}
    try:
        subprocess.run(["munged", *(f"--{name}={path}" for name, path in files.items())], check=True)
        wait_for(lambda: files["socket"].exists(), "munged")
        for program in ("slurmctld", "slurmd"):
            subprocess.run([program], check=True)
        wait_for(lambda: "idle" in ask("sinfo", "--noheader", "--format=%T"), "an idle node")
        yield Cluster(host)
    finally:
        ask("scancel", "--user=root")
        for program in ("slurmd", "slurmctld", "munged"):
            pid = folder / f"{program}.pid"
            if pid.exists():
                os.kill(int(pid.read_text()), signal.SIGTERM)
                wait_for(lambda pid=pid: not pid.exists(), f"{program} to end")
        for name in ("slurm.conf", "gres.conf", "cgroup.conf"):
            (ETC / name).unlink(missing_ok=True)
        shutil.rmtree(folder)


class Clone(Workflow):
    """A fresh clone, from whose top `snakemake --profile slurm` is called."""

    def __init__(self, folder: Path, **sections):
        super().__init__(folder)
        self.folder = self.code
        self.results = self.folder / "results/tiny"
        self.overlay = self.folder / "overlay.yaml"
        self.overlay.write_text(yaml.safe_dump(sections))
        self.processes = []

    def start(self, *arguments: str) -> subprocess.Popen:
        """Snakemake with the profile, in a session of its own; what it prints goes to `output.txt`."""
        command = [sys.executable, "-m", "snakemake", "--profile", "slurm", *QUICK, *arguments]
        command += ["--configfile", str(TINY), str(self.overlay)]
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        with open(self.folder / "output.txt", "w") as output:
            process = subprocess.Popen(
                command,
                cwd=self.folder,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=os.environ | {"PATH": path},
                start_new_session=True,
                # Snakemake must hear of Ctrl-C also where the tests themselves run in the background.
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
            )
        self.processes.append(process)
        return process

    def stop(self) -> None:
        """Leave neither a snakemake nor a job of this clone to the next tests."""
        for process in self.processes:
            process.kill()
        ask("scancel", "--user=root")

    def output(self) -> str:
        return (self.folder / "output.txt").read_text()

    def submit(self, *arguments: str, seconds: float = 1500) -> str:
        """As `start`, until it ends well; returns what it printed."""
        process = self.start(*arguments)
        if process.wait(seconds):
            pytest.fail(f"snakemake returned {process.returncode}:\n{self.output()[-6000:]}")
        return self.output()
