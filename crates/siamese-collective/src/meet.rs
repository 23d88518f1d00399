//! How processes find each other: all greet process 0, which tells each where the others listen.

use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::error::{Error, Result};
use crate::place::Place;

/// What a greeting begins with: the protocol and its version.
const MAGIC: &[u8; 8] = b"siamese1";
const AGAIN: Duration = Duration::from_millis(50);
/// A connection that has not greeted by then is of a stranger.
const GREETING: Duration = Duration::from_secs(5);
/// A message is no longer than this.
const MOST: usize = 1 << 20;

/// The connections from the process before and to the next. Process 0 opens the port where all meet, if it is not
/// given it `here`.
pub(crate) fn meet(
    place: &Place,
    here: Option<TcpListener>,
    patience: Duration,
) -> Result<(TcpStream, TcpStream)> {
    let until = Instant::now() + patience;
    let own = match place.host.as_str() {
        // what nobody else is to reach
        "127.0.0.1" | "localhost" => TcpListener::bind("127.0.0.1:0"),
        _ => TcpListener::bind("[::]:0").or_else(|_| TcpListener::bind("0.0.0.0:0")),
    }
    .map_err(|e| Error::meeting("opening a port", &e))?;
    let port = own
        .local_addr()
        .map_err(|e| Error::meeting("opening a port", &e))?
        .port();
    let (secret, next) = match place.rank {
        0 => receive_all(place, here, port, until)?,
        _ => greet_first(place, port, until)?,
    };
    let mut to = connect(&[next], until)
        .map_err(|e| Error::meeting(&format!("connecting to the next process at {next}"), &e))?;
    send(&mut to, &[&secret]).map_err(|e| Error::meeting("greeting the next process", &e))?;
    let from = accept_one(&own, &secret, until).map_err(|e| {
        let before = (place.rank + place.size - 1) % place.size;
        Error::meeting(&format!("waiting for process {before}"), &e)
    })?;
    Ok((from, to))
}

/// Process 0: awaits all greetings, and answers each with the run's secret and its next process.
fn receive_all(
    place: &Place,
    here: Option<TcpListener>,
    port: u16,
    until: Instant,
) -> Result<(Vec<u8>, SocketAddr)> {
    let at = format!("{}:{}", place.host, place.port);
    let listening = format!("awaiting the other processes at MASTER_ADDR:MASTER_PORT ({at})");
    let here = match here {
        Some(here) => here,
        None => listen(place, &listening)?,
    };
    let mut others: Vec<Option<(TcpStream, SocketAddr)>> = Vec::new();
    others.resize_with(place.size, || None);
    while others.iter().skip(1).any(Option::is_none) {
        let (mut stream, peer) = match accept(&here, until) {
            Ok(accepted) => accepted,
            Err(e) => {
                let missing: Vec<String> = (1..place.size)
                    .filter(|&rank| others[rank].is_none())
                    .map(|rank| rank.to_string())
                    .collect();
                let missing = missing.join(", ");
                return Err(Error::meeting(
                    &format!(
                        "{listening}: of {} processes there is none of rank {missing}",
                        place.size
                    ),
                    &e,
                ));
            }
        };
        let Ok([rank, size, port, run]) = greeting(&mut stream) else {
            continue; // a stranger
        };
        let mine = [place.size.to_string(), place.run.clone()];
        let rank_is = rank
            .parse::<usize>()
            .ok()
            .filter(|&r| r > 0 && r < place.size);
        let problem = match rank_is {
            _ if [&size, &run] != [&mine[0], &mine[1]] => format!(
                "a process {rank} of {size} (run {run:?}) came to {at}, where {} (run {:?}) meet: are two runs at one MASTER_PORT?",
                place.size, place.run
            ),
            Some(rank) if others[rank].is_some() => {
                format!(
                    "two processes say that they are rank {rank} of {size}: give each its own RANK"
                )
            }
            Some(rank) => {
                let address = SocketAddr::new(peer.ip(), port.parse().unwrap_or(0));
                others[rank] = Some((stream, address));
                continue;
            }
            None => {
                format!("a process says that it is rank {rank} of {size}, which only this one is")
            }
        };
        let told = [Some(stream)]
            .into_iter()
            .chain(others.into_iter().map(|o| o.map(|o| o.0)));
        for mut stream in told.flatten() {
            let _ = send(&mut stream, &[b"no", problem.as_bytes()]);
        }
        return Err(Error::Meeting(problem));
    }
    let secret = secret();
    let addresses: Vec<_> = others.iter().map(|o| o.as_ref().map(|o| o.1)).collect();
    for (rank, other) in others.into_iter().enumerate() {
        let Some((mut stream, _)) = other else {
            continue;
        };
        let own = stream.local_addr().map(|a| SocketAddr::new(a.ip(), port));
        let next = match addresses.get(rank + 1) {
            Some(next) => *next,
            None => own.ok(),
        };
        let next = next.map(|next| next.to_string()).unwrap_or_default();
        send(&mut stream, &[b"ok", &secret, next.as_bytes()])
            .map_err(|e| Error::meeting(&format!("answering process {rank}"), &e))?;
    }
    let next = addresses.get(1).copied().flatten();
    let next = next.ok_or_else(|| Error::Meeting("there is no other process".into()))?;
    Ok((secret, next))
}

/// The port where all meet.
fn listen(place: &Place, doing: &str) -> Result<TcpListener> {
    TcpListener::bind(&resolve(place)?[..])
        // a name that is another machine's here, as behind a router
        .or_else(|e| match e.kind() {
            ErrorKind::AddrNotAvailable => TcpListener::bind(("0.0.0.0", place.port)),
            _ => Err(e),
        })
        .map_err(|e| {
            let hint = "is another run there? Take another MASTER_PORT";
            Error::meeting(&format!("{doing}; {hint}"), &e)
        })
}

/// Another process: greets process 0, and learns the secret and its next.
fn greet_first(place: &Place, port: u16, until: Instant) -> Result<(Vec<u8>, SocketAddr)> {
    let at = format!(
        "process 0 at MASTER_ADDR:MASTER_PORT ({}:{})",
        place.host, place.port
    );
    let failed = |e| {
        Error::meeting(
            &format!("meeting {at}; has it been started, and does the address reach it?"),
            &e,
        )
    };
    let addresses = resolve(place)?;
    let mut stream = connect(&addresses, until).map_err(failed)?;
    let numbers = [place.rank, place.size, usize::from(port)].map(|n| n.to_string());
    let [rank, size, port] = numbers.each_ref().map(String::as_bytes);
    send(
        &mut stream,
        &[MAGIC, rank, size, port, place.run.as_bytes()],
    )
    .map_err(failed)?;
    let left = until.saturating_duration_since(Instant::now()).max(AGAIN);
    stream.set_read_timeout(Some(left)).map_err(failed)?;
    let answer = receive(&mut stream).map_err(failed)?;
    match &answer[..] {
        [ok, secret, next] if ok == b"ok" => {
            let next = String::from_utf8_lossy(next).parse();
            let next = next.map_err(|_| Error::Meeting(format!("{at} told no address")))?;
            Ok((secret.clone(), next))
        }
        [no, why] if no == b"no" => Err(Error::Meeting(String::from_utf8_lossy(why).into())),
        _ => Err(Error::Meeting(format!(
            "{at} is of another version of siamese"
        ))),
    }
}

fn resolve(place: &Place) -> Result<Vec<SocketAddr>> {
    let found = (place.host.as_str(), place.port).to_socket_addrs();
    let mut found: Vec<_> = found
        .map_err(|e| Error::meeting(&format!("looking up MASTER_ADDR ({})", place.host), &e))?
        .collect();
    found.sort_by_key(|address| matches!(address.ip(), IpAddr::V6(_)));
    Ok(found)
}

fn greeting(stream: &mut TcpStream) -> std::io::Result<[String; 4]> {
    stream.set_read_timeout(Some(GREETING))?;
    let fields = receive(stream)?;
    match &fields[..] {
        [magic, rest @ ..] if magic == MAGIC => {
            let text = rest
                .iter()
                .map(|field| String::from_utf8_lossy(field).into_owned());
            let text: Vec<String> = text.collect();
            text.try_into().map_err(|_| ErrorKind::InvalidData.into())
        }
        _ => Err(ErrorKind::InvalidData.into()),
    }
}

/// Connects to the first address that answers, again and again.
fn connect(addresses: &[SocketAddr], until: Instant) -> std::io::Result<TcpStream> {
    loop {
        let mut last = ErrorKind::NotFound.into();
        for address in addresses {
            match TcpStream::connect_timeout(address, GREETING) {
                Ok(stream) => return Ok(stream),
                Err(error) => last = error,
            }
        }
        if Instant::now() > until {
            return Err(last);
        }
        sleep(AGAIN);
    }
}

fn accept(listener: &TcpListener, until: Instant) -> std::io::Result<(TcpStream, SocketAddr)> {
    listener.set_nonblocking(true)?;
    loop {
        match listener.accept() {
            Ok((stream, peer)) => {
                stream.set_nonblocking(false)?;
                return Ok((stream, peer));
            }
            Err(e) if e.kind() == ErrorKind::WouldBlock && Instant::now() < until => sleep(AGAIN),
            Err(e) if e.kind() == ErrorKind::WouldBlock => return Err(ErrorKind::TimedOut.into()),
            Err(e) => return Err(e),
        }
    }
}

/// The connection of whoever knows the secret.
fn accept_one(listener: &TcpListener, secret: &[u8], until: Instant) -> std::io::Result<TcpStream> {
    loop {
        let (mut stream, _) = accept(listener, until)?;
        stream.set_read_timeout(Some(GREETING))?;
        if receive(&mut stream).is_ok_and(|fields| fields == [secret]) {
            return Ok(stream);
        }
    }
}

/// Some bytes that nobody guesses: the hasher's keys are the system's random numbers.
fn secret() -> Vec<u8> {
    use std::hash::{BuildHasher, RandomState};
    let random = |i: u8| RandomState::new().hash_one(i).to_le_bytes();
    [random(0), random(1)].concat()
}

/// Writes fields, each with its length before it, and their number before all.
fn send(stream: &mut TcpStream, fields: &[&[u8]]) -> std::io::Result<()> {
    let mut bytes = vec![fields.len() as u8];
    for field in fields {
        bytes.extend((field.len() as u32).to_le_bytes());
        bytes.extend(*field);
    }
    stream.write_all(&bytes)
}

fn receive(stream: &mut TcpStream) -> std::io::Result<Vec<Vec<u8>>> {
    let mut count = [0];
    stream.read_exact(&mut count)?;
    let field = |_| {
        let mut length = [0; 4];
        stream.read_exact(&mut length)?;
        let length = u32::from_le_bytes(length) as usize;
        if length > MOST {
            return Err(ErrorKind::InvalidData.into());
        }
        let mut bytes = vec![0; length];
        stream.read_exact(&mut bytes)?;
        Ok(bytes)
    };
    (0..count[0]).map(field).collect()
}
