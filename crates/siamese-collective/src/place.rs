//! Which of several processes this is, as their launcher says.

use std::env;

use crate::error::{Error, Result};

/// Variables of a launcher: which process, of how many, which on its machine, of how many on it, and what it calls the job.
struct Names {
    rank: &'static str,
    size: &'static str,
    local: &'static str,
    local_size: &'static str,
    job: &'static [&'static str],
    /// What to do where nobody says where the processes meet.
    advice: &'static str,
}

const TORCHRUN: Names = Names {
    rank: "RANK",
    size: "WORLD_SIZE",
    local: "LOCAL_RANK",
    local_size: "LOCAL_WORLD_SIZE",
    job: &["TORCHELASTIC_RUN_ID", "SLURM_JOB_ID"],
    advice: "set RANK, WORLD_SIZE, LOCAL_RANK, MASTER_ADDR and MASTER_PORT, as torchrun does, or none of them",
};
const OPEN_MPI: Names = Names {
    rank: "OMPI_COMM_WORLD_RANK",
    size: "OMPI_COMM_WORLD_SIZE",
    local: "OMPI_COMM_WORLD_LOCAL_RANK",
    local_size: "OMPI_COMM_WORLD_LOCAL_SIZE",
    job: &["PMIX_NAMESPACE"],
    advice: "give mpirun -x MASTER_ADDR=HOST -x MASTER_PORT=29500, where HOST is the machine of the first process",
};
/// Set by `srun` for each task of its step; a batch script, which is one process, has them not all.
const SLURM_STEP: Names = Names {
    rank: "SLURM_PROCID",
    size: "SLURM_STEP_NUM_TASKS",
    local: "SLURM_LOCALID",
    local_size: "",
    job: &["SLURM_JOB_ID", "SLURM_STEP_ID"],
    advice: "export MASTER_ADDR, the machine of the first process, and MASTER_PORT, such as 29500, before srun",
};
const SLURM: Names = Names {
    size: "SLURM_NTASKS",
    ..SLURM_STEP
};

/// Which of several processes this is, and where they meet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Which process, from 0.
    pub rank: usize,
    /// How many processes.
    pub size: usize,
    /// Which of the processes of its machine, from 0: the GPU that it takes.
    pub local_rank: usize,
    /// How many processes its machine has, where the launcher says so.
    pub local_size: Option<usize>,
    /// Host of process 0.
    pub host: String,
    /// Port at which process 0 awaits the others.
    pub port: u16,
    /// What tells this run from others that meet at the same port: the launcher's name for it, or nothing.
    pub run: String,
}

impl Place {
    /// What the launcher's variables say; `None` where there is one process.
    ///
    /// `RANK`, `WORLD_SIZE` and `LOCAL_RANK` as `torchrun` sets them, else Open MPI's, else SLURM's; `MASTER_ADDR` and
    /// `MASTER_PORT` beside them. Where `torchrun` itself listens at that port, the processes meet at the next. Without
    /// the two, those of SLURM meet on the first node of their step, those of Open MPI on the machine that they all have,
    /// at a port from 20000 to 29999 that the job's name decides.
    ///
    /// # Errors
    /// When variables are missing, are no numbers or contradict each other; they are named.
    pub fn from_env() -> Result<Option<Self>> {
        Self::from(&|name| env::var(name).ok())
    }

    fn from(get: &dyn Fn(&str) -> Option<String>) -> Result<Option<Self>> {
        let set = |name: &str| get(name).filter(|value| !value.trim().is_empty());
        let Some(names) = launcher(&set) else {
            return Ok(None);
        };
        let count = |name: &str| -> Result<usize> {
            let value = set(name).ok_or_else(|| half(names, name))?;
            let number = value.trim().parse();
            number.map_err(|_| Error::Variables(format!("{name} is {value:?}, and is no number")))
        };
        let (rank, size) = (count(names.rank)?, count(names.size)?);
        if rank >= size {
            return Err(Error::Variables(format!(
                "{} is {rank} and {} is {size}: ranks count from 0 to one less than the processes",
                names.rank, names.size
            )));
        }
        if size == 1 {
            return Ok(None);
        }
        let local_size = set(names.local_size).and_then(|v| v.trim().parse().ok());
        let job = names.job.iter().filter_map(|name| set(name));
        let job: String = job.collect::<Vec<_>>().join(".");
        let port = match (set("MASTER_PORT"), job.is_empty()) {
            (None, false) if names.rank != TORCHRUN.rank => port_of(&job),
            _ => count("MASTER_PORT")?,
        };
        let agents = set("TORCHELASTIC_USE_AGENT_STORE").is_some_and(|v| v == "True");
        let port = u16::try_from(port + usize::from(agents))
            .ok()
            .filter(|&port| port > 0);
        let host = set("MASTER_ADDR")
            .or_else(|| first_node(names, &set))
            .or_else(|| (local_size == Some(size)).then(|| "127.0.0.1".into()));
        Ok(Some(Self {
            rank,
            size,
            // one machine has them all where none is told
            local_rank: set(names.local).map_or(Ok(rank), |_| count(names.local))?,
            local_size: local_size.filter(|&n| n > 0),
            host: host.ok_or_else(|| half(names, "MASTER_ADDR"))?,
            port: port.ok_or_else(|| {
                Error::Variables(
                    "MASTER_PORT is no port that can be used: take one from 1024 to 65000".into(),
                )
            })?,
            run: job,
        }))
    }
}

/// Whose variables are set.
fn launcher(set: &dyn Fn(&str) -> Option<String>) -> Option<&'static Names> {
    let has = |name| set(name).is_some();
    let more_than_one = |name| set(name).is_some_and(|value| value.trim() != "1");
    if has(TORCHRUN.rank) || has(TORCHRUN.size) {
        return Some(&TORCHRUN);
    }
    if more_than_one(OPEN_MPI.size) {
        return Some(&OPEN_MPI);
    }
    if has(SLURM.rank) && more_than_one(SLURM_STEP.size) {
        return Some(&SLURM_STEP);
    }
    // in a batch script they are set too, for one process that starts others
    let meets = has("MASTER_ADDR") && has("MASTER_PORT");
    (meets && has(SLURM.rank) && more_than_one(SLURM.size) && !has(SLURM_STEP.size))
        .then_some(&SLURM)
}

/// A port that all processes of a job make of its name.
fn port_of(job: &str) -> usize {
    let mixed = job.bytes().fold(0usize, |mixed, byte| {
        mixed.wrapping_mul(31).wrapping_add(usize::from(byte))
    });
    20_000 + mixed % 10_000
}

/// The first node of a SLURM step.
fn first_node(names: &Names, set: &dyn Fn(&str) -> Option<String>) -> Option<String> {
    if names.rank != SLURM.rank {
        return None;
    }
    if set("SLURM_STEP_NUM_NODES").is_some_and(|nodes| nodes.trim() == "1") {
        return Some("127.0.0.1".into());
    }
    Some(first_of(&set("SLURM_STEP_NODELIST")?)).filter(|node| !node.is_empty())
}

/// The first name of a list such as `node[001-004,7],other`.
fn first_of(list: &str) -> String {
    let (mut name, mut within, mut further) = (String::new(), false, false);
    for c in list.trim().chars() {
        match c {
            '[' => within = true,
            ']' => (within, further) = (false, false),
            ',' if !within => break,
            ',' | '-' if within => further = true,
            c if !further => name.push(c),
            _ => (),
        }
    }
    name
}

fn half(names: &Names, missing: &str) -> Error {
    Error::Variables(format!(
        "{} or {} is set, so this is one of several processes, but {missing} is not: {}",
        names.rank, names.size, names.advice
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(variables: &str) -> Result<Option<Place>> {
        Place::from(&|name| {
            let mut pairs = variables
                .split_whitespace()
                .filter_map(|v| v.split_once('='));
            pairs
                .find(|(n, _)| *n == name)
                .map(|(_, value)| value.to_string())
        })
    }

    const MEET: &str = "MASTER_ADDR=node1 MASTER_PORT=29500";

    #[test]
    fn every_launchers_variables_say_the_same() -> Result<()> {
        for variables in [
            "RANK=2 WORLD_SIZE=4 LOCAL_RANK=0 LOCAL_WORLD_SIZE=2",
            "OMPI_COMM_WORLD_RANK=2 OMPI_COMM_WORLD_SIZE=4 OMPI_COMM_WORLD_LOCAL_RANK=0 OMPI_COMM_WORLD_LOCAL_SIZE=2",
            "SLURM_PROCID=2 SLURM_NTASKS=4 SLURM_LOCALID=0",
            "SLURM_PROCID=2 SLURM_NTASKS=8 SLURM_STEP_NUM_TASKS=4 SLURM_LOCALID=0",
        ] {
            let found = place(&format!("{variables} {MEET}"))?.expect(variables);
            let (of, at) = (
                (found.rank, found.size, found.local_rank),
                (&*found.host, found.port),
            );
            assert_eq!((of, at), ((2, 4, 0), ("node1", 29500)), "{variables}");
        }
        let elastic = "RANK=1 WORLD_SIZE=2 TORCHELASTIC_USE_AGENT_STORE=True TORCHELASTIC_RUN_ID=x";
        let elastic = place(&format!("{elastic} {MEET}"))?.expect("two processes");
        assert_eq!(
            (elastic.port, &*elastic.run, elastic.local_rank),
            (29501, "x", 1)
        );
        Ok(())
    }

    #[test]
    fn processes_of_slurm_and_of_open_mpi_on_one_machine_know_where_to_meet() -> Result<()> {
        let meet =
            |variables: &str| place(variables).map(|place| place.expect("several processes"));
        let step = "SLURM_PROCID=1 SLURM_STEP_NUM_TASKS=2 SLURM_JOB_ID=7 SLURM_STEP_ID=0";
        let two = meet(&format!(
            "{step} SLURM_STEP_NODELIST=node[003-004,9],x SLURM_STEP_NUM_NODES=2"
        ))?;
        assert_eq!((&*two.host, &*two.run), ("node003", "7.0"));
        let one = meet(&format!(
            "{step} SLURM_STEP_NODELIST=node3 SLURM_STEP_NUM_NODES=1"
        ))?;
        assert_eq!((&*one.host, one.port), ("127.0.0.1", two.port));
        assert!((20_000..30_000).contains(&one.port));
        let next = step.replace("STEP_ID=0", "STEP_ID=1");
        let next = meet(&format!("{next} SLURM_STEP_NODELIST=node3"))?;
        assert_ne!(next.port, one.port);
        let told = meet(&format!("{step} SLURM_STEP_NODELIST=node3 {MEET}"))?;
        assert_eq!((&*told.host, told.port), ("node1", 29500));
        let mpi = "OMPI_COMM_WORLD_RANK=1 OMPI_COMM_WORLD_SIZE=2 PMIX_NAMESPACE=417005569";
        let mpi = meet(&format!("{mpi} OMPI_COMM_WORLD_LOCAL_SIZE=2"))?;
        assert_eq!(&*mpi.host, "127.0.0.1");
        Ok(())
    }

    #[test]
    fn lists_of_nodes_begin_with_their_first() {
        for (list, first) in [
            ("vm", "vm"),
            ("a1,a2", "a1"),
            ("node[001-004,7],other", "node001"),
            ("rack[2-3]n[5,6]-ib", "rack2n5-ib"),
            ("gpu-node-1,gpu-node-2", "gpu-node-1"),
        ] {
            assert_eq!(first_of(list), first, "{list}");
        }
    }

    #[test]
    fn one_process_is_none_and_a_batch_script_is_one_process() -> Result<()> {
        for variables in [
            "",
            "RANK=0 WORLD_SIZE=1",
            "SLURM_PROCID=0 SLURM_NTASKS=4 SLURM_LOCALID=0",
            "OMPI_COMM_WORLD_RANK=0 OMPI_COMM_WORLD_SIZE=1",
            MEET,
        ] {
            assert_eq!(place(variables)?, None, "{variables}");
        }
        Ok(())
    }

    #[test]
    fn what_is_missing_or_wrong_is_named() {
        for (variables, named) in [
            ("RANK=0", "WORLD_SIZE is not"),
            ("WORLD_SIZE=2", "RANK is not"),
            ("RANK=0 WORLD_SIZE=2", "MASTER_PORT is not"),
            ("RANK=0 WORLD_SIZE=2 MASTER_PORT=1", "MASTER_ADDR is not"),
            ("RANK=2 WORLD_SIZE=2", "RANK is 2 and WORLD_SIZE is 2"),
            ("RANK=a WORLD_SIZE=2", "RANK is \"a\""),
            (
                "RANK=0 WORLD_SIZE=2 MASTER_ADDR=a MASTER_PORT=70000",
                "MASTER_PORT",
            ),
            (
                "SLURM_PROCID=0 SLURM_STEP_NUM_TASKS=2",
                "MASTER_PORT is not",
            ),
            (
                "OMPI_COMM_WORLD_RANK=1 OMPI_COMM_WORLD_SIZE=2",
                "give mpirun -x MASTER_ADDR=HOST",
            ),
            (
                "OMPI_COMM_WORLD_RANK=1 OMPI_COMM_WORLD_SIZE=2 OMPI_COMM_WORLD_LOCAL_SIZE=1 PMIX_NAMESPACE=1",
                "MASTER_ADDR is not",
            ),
        ] {
            let error = place(variables).expect_err(variables).to_string();
            assert!(error.contains(named), "{variables}: {error}");
        }
    }
}
