//! A ring of threads, each a process of its own to the others, beside the naive way.

use std::net::TcpListener;
use std::time::Duration;

use siamese_collective::{Collective, Error, Patience, Place, Result, Ring};

/// A port of the system's choice, held open, so that no other test is given it.
fn open_port() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    (listener, port)
}

/// Each of these processes in a thread of its own; the first opens the port.
fn join_all<T: Send>(
    (listener, places): (TcpListener, Vec<Place>),
    patience: Patience,
    work: impl Fn(Result<Ring>) -> T + Sync,
) -> Vec<T> {
    let mut listener = Some(listener);
    std::thread::scope(|scope| {
        let one = |place: Place| {
            let (work, listener) = (&work, listener.take());
            scope.spawn(move || {
                work(match listener {
                    Some(listener) => Ring::lead(listener, &place, patience),
                    None => Ring::join(&place, patience),
                })
            })
        };
        let all: Vec<_> = places.into_iter().map(one).collect();
        all.into_iter()
            .map(|one| one.join().expect("no panic"))
            .collect()
    })
}

fn place(rank: usize, size: usize, port: u16) -> Place {
    Place {
        rank,
        size,
        local_rank: rank,
        local_size: None,
        host: "127.0.0.1".into(),
        port,
        run: "test".into(),
    }
}

const SHORT: Patience = Patience {
    meeting: Duration::from_secs(10),
    silence: Duration::from_secs(10),
};

/// What each of `size` processes makes of its ring.
fn among<T: Send>(size: usize, work: impl Fn(Ring) -> T + Sync) -> Vec<T> {
    let (listener, port) = open_port();
    let places = (0..size).map(|rank| place(rank, size, port)).collect();
    join_all((listener, places), SHORT, |ring| work(ring.expect("meet")))
}

fn numbers(rank: usize, count: usize) -> Vec<f32> {
    (0..count)
        .map(|i| ((i * 7 + rank * 13) as f32 * 0.37).sin() * 10f32.powi(rank as i32))
        .collect()
}

#[test]
fn sums_are_those_of_all_in_turn_and_the_same_bits_everywhere() -> Result<()> {
    for size in [2, 3, 5] {
        for count in [0, 1, 2, 7, 1000, 600_001] {
            let sums = among(size, |ring| {
                let mut values = numbers(ring.rank(), count);
                ring.sum(&mut values).map(|()| values)
            });
            let sums: Vec<Vec<f32>> = sums.into_iter().collect::<Result<_>>()?;
            for other in &sums {
                assert!(
                    other
                        .iter()
                        .zip(&sums[0])
                        .all(|(a, b)| a.to_bits() == b.to_bits())
                );
            }
            let mut naive = vec![0f64; count];
            for rank in 0..size {
                let all = naive.iter_mut().zip(numbers(rank, count));
                all.for_each(|(sum, value)| *sum += f64::from(value));
            }
            let scale = 10f64.powi(size as i32 - 1);
            for (ring, naive) in sums[0].iter().zip(naive) {
                assert!(
                    (f64::from(*ring) - naive).abs() <= 1e-6 * scale,
                    "{ring} {naive}"
                );
            }
        }
    }
    Ok(())
}

#[test]
fn rows_are_gathered_by_rank_and_bytes_are_those_of_the_first() -> Result<()> {
    for size in [2, 4] {
        let all = among(size, |ring| -> Result<_> {
            let rank = ring.rank();
            let gathered = ring.gather(&numbers(rank, rank))?; // none of the first
            let bytes = ring.broadcast(vec![rank as u8 + 7; 100_000 * (1 - rank.min(1))])?;
            ring.barrier()?;
            Ok((gathered, bytes, ring.any(rank == 1)?, ring.any(false)?))
        });
        for one in all {
            let (gathered, bytes, some, none) = one?;
            let naive: Vec<_> = (0..size).map(|rank| numbers(rank, rank)).collect();
            assert_eq!(gathered, naive);
            assert_eq!(bytes, vec![7; 100_000]);
            assert!(some && !none);
        }
    }
    Ok(())
}

#[test]
fn every_process_names_the_one_that_is_gone() {
    for gone in 0..4 {
        let all = among(4, |ring| {
            if ring.rank() == gone {
                drop(ring);
                return None;
            }
            (0..100).find_map(|_| ring.sum(&mut [1.0; 8]).err())
        });
        for (rank, error) in all
            .into_iter()
            .enumerate()
            .filter(|(rank, _)| *rank != gone)
        {
            let error = error.expect("it cannot go on").to_string();
            assert!(
                error.contains(&format!("process {gone} of 4 is gone")),
                "{rank}: {error}"
            );
        }
    }
}

#[test]
fn who_is_gone_is_known_without_an_exchange_and_what_comes_early_is_kept() -> Result<()> {
    let all = among(3, |ring| {
        if ring.rank() > 0 {
            return match ring.sum(&mut [1.0; 5]) {
                Ok(()) if ring.rank() == 1 => None, // and it is gone
                Ok(()) => (0..100).find_map(|_| ring.alive().err()),
                Err(error) => Some(error),
            };
        }
        std::thread::sleep(Duration::from_millis(200)); // the others have sent their parts
        let early = (0..3).try_for_each(|_| ring.alive());
        let mut sum = [1.0; 5];
        let summed = early.and_then(|()| ring.sum(&mut sum));
        assert_eq!(sum, [3.0; 5]);
        summed
            .err()
            .or_else(|| (0..100).find_map(|_| ring.alive().err()))
    });
    assert!(all[1].is_none(), "{all:?}");
    for error in [&all[0], &all[2]].into_iter().flatten() {
        assert!(
            error.to_string().contains("process 1 of 3 is gone"),
            "{error}"
        );
    }
    assert_eq!(all.iter().flatten().count(), 2);
    Ok(())
}

#[test]
fn a_reason_goes_round() {
    let all = among(3, |ring| {
        if ring.rank() == 1 {
            ring.abort("has ended: a picture is missing");
            return None;
        }
        ring.barrier().err()
    });
    for error in all.into_iter().flatten() {
        let error = error.to_string();
        assert!(
            error.contains("process 1 of 3 has ended: a picture is missing"),
            "{error}"
        );
    }
}

#[test]
fn other_exchanges_and_other_lengths_are_told() {
    let all = among(2, |ring| match ring.rank() {
        0 => ring.sum(&mut [1.0, 2.0]).err(),
        _ => ring.gather(&[1.0]).err(),
    });
    assert!(
        matches!(all[0], Some(Error::OutOfStep { rank: 1, .. })),
        "{all:?}"
    );
    let all = among(2, |ring| {
        ring.sum(&mut vec![1.0; 2 + 4 * ring.rank()]).err()
    });
    assert!(
        all.iter()
            .flatten()
            .any(|e| matches!(e, Error::OutOfStep { .. })),
        "{all:?}"
    );
}

#[test]
fn who_is_missing_or_there_twice_is_named() {
    let brief = Patience {
        meeting: Duration::from_millis(300),
        ..SHORT
    };
    let (listener, port) = open_port();
    let alone = Ring::lead(listener, &place(0, 3, port), brief).map(drop);
    let error = alone.expect_err("alone").to_string();
    assert!(error.contains("of rank 1, 2"), "{error}");

    let failures = |(listener, places), what: &str| {
        for one in join_all((listener, places), SHORT, |ring| ring.map(drop)) {
            let error = one.expect_err(what).to_string();
            assert!(error.contains(what), "{error}");
        }
    };
    let (listener, port) = open_port();
    let twice = [0, 1, 1].map(|rank| place(rank, 3, port));
    failures((listener, twice.into()), "rank 1");
    let (listener, port) = open_port();
    let mut other = place(1, 2, port);
    other.run = "other".into();
    failures((listener, vec![place(0, 2, port), other]), "two runs");
}

#[test]
fn a_port_that_is_taken_is_told_and_only_process_0_brings_one() {
    let (held, port) = open_port();
    let taken = Ring::join(&place(0, 2, port), SHORT).map(drop);
    let error = taken.expect_err("taken").to_string();
    assert!(error.contains("Take another MASTER_PORT"), "{error}");
    let second = Ring::lead(held, &place(1, 2, port), SHORT).map(drop);
    let error = second.expect_err("not the first").to_string();
    assert!(error.contains("this is 1"), "{error}");
}
