//! The proxies that requests go through, and the hosts that are reached without one.

use std::net::IpAddr;

use ureq::Proxy;

use super::address::Origin;
use crate::variables::Variables;

/// The proxies that requests go through; by default none.
#[derive(Clone, Default)]
pub struct Proxies {
    pub(super) http: Option<Proxy>,
    pub(super) https: Option<Proxy>,
    except: Vec<Exception>,
}

/// A host, or several, reached without a proxy.
#[derive(Clone, Debug, PartialEq)]
enum Exception {
    All,
    /// A host and all below it.
    Host(String, Option<u16>),
    /// All hosts whose names begin so.
    Prefix(String),
    /// All addresses that share so many bits.
    Net(IpAddr, u32),
}

impl Proxies {
    /// Reads `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY`, each in small letters first.
    pub(super) fn read(variables: &Variables) -> Result<Self, String> {
        let proxy = |names: &[&str]| variables.first(names)?.map(parse).transpose();
        let list = variables.first(&["no_proxy", "NO_PROXY"])?;
        Ok(Self {
            http: proxy(&["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"])?,
            https: proxy(&["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"])?,
            except: list.map_or(Vec::new(), |(_, list)| exceptions(&list)),
        })
    }

    /// The proxy on the way to `origin`.
    pub(super) fn to(&self, origin: &Origin) -> Option<&Proxy> {
        let proxy = match origin.is_https() {
            true => &self.https,
            false => &self.http,
        };
        let exempt = self.except.iter().any(|except| except.covers(origin));
        proxy.as_ref().filter(|_| !exempt)
    }
}

/// A proxy's address may hold a password: it is not repeated.
fn parse((name, value): (&str, String)) -> Result<Proxy, String> {
    let wrong = || format!("{name} is no proxy's address; write http://HOST:PORT");
    let place = value.rsplit(['/', '@']).find(|part| !part.is_empty());
    let port = place.and_then(|place| place.rsplit_once(':'));
    if port.is_some_and(|(_, port)| !port.ends_with(']') && port.parse::<u16>().is_err()) {
        return Err(wrong());
    }
    Proxy::new(&value).map_err(|_| wrong())
}

/// A list divided by commas or blanks: `*`, hosts, `.suffixes`, `*.suffixes`, addresses and nets, perhaps with a port.
fn exceptions(list: &str) -> Vec<Exception> {
    let entries = list.split(|c: char| c == ',' || c == ';' || c.is_whitespace());
    entries
        .filter(|entry| !entry.is_empty())
        .map(Exception::parse)
        .collect()
}

impl Exception {
    fn parse(entry: &str) -> Self {
        let entry = entry.to_ascii_lowercase();
        let entry = entry.split_once("://").map_or(&entry[..], |(_, host)| host);
        if entry == "*" {
            return Self::All;
        }
        if let Some((ip, bits)) = entry.split_once('/')
            && let (Ok(ip), Ok(bits)) = (ip.parse(), bits.parse())
        {
            return Self::Net(ip, bits);
        }
        let entry = entry.trim_end_matches('/');
        let (host, port) = match entry.rsplit_once(':') {
            Some((host, port)) if !host.contains(':') || host.ends_with(']') => {
                (host, port.parse().ok())
            }
            _ => (entry, None),
        };
        let host = bare(host).trim_start_matches('*').trim_start_matches('.');
        match host.strip_suffix('*') {
            Some(prefix) => Self::Prefix(prefix.into()),
            None => Self::Host(host.trim_end_matches('.').into(), port),
        }
    }

    fn covers(&self, origin: &Origin) -> bool {
        let host = bare(&origin.host).trim_end_matches('.');
        let ip: Option<IpAddr> = host.parse().ok();
        match self {
            Self::All => true,
            Self::Prefix(prefix) => host.starts_with(prefix),
            Self::Net(net, bits) => ip.is_some_and(|ip| share(ip, *net, *bits)),
            Self::Host(name, port) => {
                let below = host.strip_suffix(name.as_str());
                let named = below.is_some_and(|below| below.is_empty() || below.ends_with('.'));
                let same = ip.is_some() && name.parse().ok() == ip;
                (same || named) && port.is_none_or(|port| port == origin.port)
            }
        }
    }
}

/// `[::1]` → `::1`.
fn bare(host: &str) -> &str {
    host.trim_start_matches('[').trim_end_matches(']')
}

/// Whether two addresses have their first `bits` in common.
fn share(a: IpAddr, b: IpAddr, bits: u32) -> bool {
    let (a, b, length) = match (a, b) {
        (IpAddr::V4(a), IpAddr::V4(b)) => (a.to_bits().into(), b.to_bits().into(), 32),
        (IpAddr::V6(a), IpAddr::V6(b)) => (a.to_bits(), b.to_bits(), 128),
        _ => return false,
    };
    let differ: u128 = a ^ b;
    bits <= length && differ.checked_shr(length - bits).unwrap_or(0) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(set: &[(&str, &str)]) -> Result<Proxies, String> {
        let look = |name: &str| {
            let found = set.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| value.into())
        };
        Proxies::read(&Variables(&look))
    }

    fn goes_to(proxies: &Proxies, url: &str) -> Option<String> {
        let proxy = proxies.to(&Origin::of(url).unwrap());
        proxy.map(|proxy| format!("{}:{}", proxy.host(), proxy.port()))
    }

    #[test]
    fn each_scheme_has_its_proxy() {
        let set = read(&[
            ("HTTPS_PROXY", " http://me:secret@secure:3128/ "),
            ("HTTP_PROXY", ""),
            ("all_proxy", "socks5://any"),
        ]);
        let set = set.unwrap();
        assert_eq!(goes_to(&set, "https://hub").as_deref(), Some("secure:3128"));
        assert_eq!(goes_to(&set, "http://hub").as_deref(), Some("any:1080"));
        assert_eq!(goes_to(&read(&[]).unwrap(), "https://hub"), None);
    }

    #[test]
    fn a_malformed_proxy_is_refused_by_name_without_its_password() {
        for value in [
            "http://me:secret@proxy:port",
            "http://secret@proxy:99999",
            "secret://x",
            "http://",
        ] {
            let error = read(&[("https_proxy", value)]).err().unwrap_or_default();
            assert!(error.starts_with("https_proxy"), "{value}: {error}");
            assert!(!error.contains("secret"), "{error}");
        }
    }

    #[test]
    fn hosts_are_exempt_however_the_list_is_written() {
        let exempt = |list: &str, url: &str| {
            let set = read(&[
                ("HTTPS_PROXY", "p:1"),
                ("HTTP_PROXY", "p:1"),
                ("NO_PROXY", list),
            ]);
            goes_to(&set.unwrap(), url).is_none()
        };
        for (list, url) in [
            ("a, hub.co", "https://hub.co/x"),
            ("a hub.co\tb", "https://hub.co"),
            ("HUB.co", "https://Hub.CO"),
            ("hub.co", "https://cdn.hub.co"),
            (".hub.co", "https://cdn.hub.co"),
            ("*.hub.co", "https://cdn.hub.co"),
            ("hub.co:8443", "https://hub.co:8443"),
            (" * ", "https://anywhere"),
            ("127.0.0.1", "http://127.0.0.1:81"),
            ("10.0.0.0/8", "http://10.1.2.3"),
            ("192.168.*", "http://192.168.7.1"),
            ("[::1]:81, a", "http://[::1]:81"),
            ("::1", "http://[::1]:81"),
            ("https://hub.co/", "https://hub.co"),
        ] {
            assert!(exempt(list, url), "{list:?} {url}");
        }
        for (list, url) in [
            ("hub.co", "https://myhub.co"),
            ("hub.co", "https://hub.co.evil"),
            ("hub.co:8443", "https://hub.co"),
            ("10.0.0.0/8", "http://11.1.2.3"),
            ("10.0.0.0/8", "http://[::1]"),
            ("a,,b", "https://hub.co"),
        ] {
            assert!(!exempt(list, url), "{list:?} {url}");
        }
    }
}
