//! Addresses: where a token may go, and where a redirect leads.

use std::fmt;

use ureq::http::Uri;

/// Scheme, host and port of an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Origin {
    scheme: String,
    pub(super) host: String,
    pub(super) port: u16,
}

impl Origin {
    /// The origin of `url`, if that is an address of HTTP.
    pub(super) fn of(url: &str) -> Option<Self> {
        let uri: Uri = url.parse().ok()?;
        let scheme = uri.scheme_str()?.to_ascii_lowercase();
        let host = uri.host().filter(|host| !host.is_empty())?;
        let place = uri.authority()?.as_str();
        let place = place.rsplit_once('@').map_or(place, |(_, place)| place);
        let port = match place.strip_prefix(host)? {
            "" => default_port(&scheme)?,
            port => port.strip_prefix(':')?.parse().ok()?,
        };
        default_port(&scheme)?;
        Some(Self {
            host: host.to_ascii_lowercase(),
            scheme,
            port,
        })
    }

    pub(super) fn is_https(&self) -> bool {
        self.scheme == "https"
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme, self.host)?;
        match default_port(&self.scheme) == Some(self.port) {
            true => Ok(()),
            false => write!(f, ":{}", self.port),
        }
    }
}

fn default_port(scheme: &str) -> Option<u16> {
    match scheme {
        "http" => Some(80),
        "https" => Some(443),
        _ => None,
    }
}

/// Where `location` leads from `base` (RFC 3986, 5.2); nowhere, if that is no address of HTTP.
pub(super) fn join(base: &str, location: &str) -> Option<String> {
    let location = location.trim().split('#').next().unwrap_or_default();
    let location = encoded(location);
    let (scheme, rest) = base.split_once("://")?;
    let (host, rest) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let path = rest.split(['?', '#']).next().unwrap_or_default();
    let joined = match location.chars().next() {
        _ if has_scheme(&location) => location,
        None => return None,
        Some('/') if location.starts_with("//") => format!("{scheme}:{location}"),
        Some('/') => format!("{scheme}://{host}{}", without_dots(&location)),
        Some('?') => format!("{scheme}://{host}{path}{location}"),
        Some(_) => {
            let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
            let whole = without_dots(&format!("{folder}/{location}"));
            format!("{scheme}://{host}{whole}")
        }
    };
    Origin::of(&joined).map(|_| joined)
}

fn has_scheme(location: &str) -> bool {
    let Some((scheme, _)) = location.split_once(':') else {
        return false;
    };
    scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
}

/// What may not stand in an address as it is (spaces, letters with accents) by its bytes' numbers.
fn encoded(location: &str) -> String {
    let mut text = String::new();
    for byte in location.bytes() {
        match byte.is_ascii_graphic() {
            true => text.push(byte as char),
            false => text += &format!("%{byte:02X}"),
        }
    }
    text
}

/// `/a/./b/../c?q` → `/a/c?q`.
fn without_dots(path_and_query: &str) -> String {
    let end = path_and_query.find('?').unwrap_or(path_and_query.len());
    let (path, query) = path_and_query.split_at(end);
    let mut kept: Vec<&str> = Vec::new();
    for name in path.split('/').skip(1) {
        match name {
            "." => {}
            ".." => {
                kept.pop();
            }
            name => kept.push(name),
        }
    }
    let ending = match path.ends_with("/.") || path.ends_with("/..") {
        true if !kept.is_empty() => "/",
        _ => "",
    };
    format!("/{}{ending}{query}", kept.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_location_is_read_as_the_standard_says() {
        let base = "http://hub:81/datasets/x/resolve/main/a.parquet?download=1";
        let leads = |location: &str| join(base, location);
        for (location, expected) in [
            ("/y", "http://hub:81/y"),
            ("/y/../z/./w?q=..", "http://hub:81/z/w?q=.."),
            ("//cdn:82/y", "http://cdn:82/y"),
            ("y", "http://hub:81/datasets/x/resolve/main/y"),
            ("../y", "http://hub:81/datasets/x/resolve/y"),
            (
                "?q=1",
                "http://hub:81/datasets/x/resolve/main/a.parquet?q=1",
            ),
            ("https://cdn/z?q=a:b#here", "https://cdn/z?q=a:b"),
            ("HTTPS://CDN/z", "HTTPS://CDN/z"),
            ("/Köln x", "http://hub:81/K%C3%B6ln%20x"),
        ] {
            assert_eq!(leads(location).as_deref(), Some(expected), "{location}");
        }
        for nowhere in [
            "ftp://hub/y",
            "",
            "#here",
            "https://",
            "//:80/y",
            "javascript:x",
        ] {
            assert_eq!(leads(nowhere), None, "{nowhere}");
        }
        assert_eq!(join("http://hub", "y").as_deref(), Some("http://hub/y"));
    }

    #[test]
    fn one_origin_has_several_spellings() {
        let of = |url| Origin::of(url).unwrap();
        assert_eq!(of("https://Hub.co/x"), of("HTTPS://hub.co:443"));
        assert_ne!(of("https://hub.co"), of("http://hub.co"));
        assert_ne!(of("http://hub.co"), of("http://hub.co:81"));
        assert_ne!(of("http://hub.co"), of("http://hub.co.evil"));
        assert_eq!(of("http://me@hub.co:81").to_string(), "http://hub.co:81");
        assert!(Origin::of("http://hub:99999").is_none());
        assert!(Origin::of("hub.co").is_none());
    }
}
