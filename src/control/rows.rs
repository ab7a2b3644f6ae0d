//! Long responses, read a row at a time: a client that shows only some of 65,536 hosts need not hold all of them.

use std::fmt;
use std::io::{self, BufReader, ErrorKind, Write};
use std::marker::PhantomData;
use std::os::unix::net::UnixStream;
use std::path::Path;

use serde::de::{DeserializeOwned, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::client::{ClientError, TIMEOUT};
use super::protocol::{ControlQuery, QueryError, write_query};
use crate::log::Escaped;

/// Sends a query whose response is a list, and passes each row on as it arrives.
///
/// # Errors
/// As [`super::fetch_as`]; rows that came before the error were passed on.
pub(crate) fn fetch_rows<T: DeserializeOwned>(
    path: &Path,
    query: impl Into<ControlQuery>,
    take: impl FnMut(T),
) -> Result<(), ClientError> {
    let stream = send(path, &query.into()).map_err(|error| ClientError::from_io(path, error))?;
    let mut reader = serde_json::Deserializer::from_reader(BufReader::with_capacity(64 * 1024, stream));
    let read = ResponseSeed(take, PhantomData).deserialize(&mut reader);
    match read {
        Ok(None) => Ok(()),
        Ok(Some(error)) => Err(ClientError::Rejected { path: path.to_owned(), error }),
        Err(error) if error.is_io() => Err(ClientError::from_io(path, error.into())),
        Err(error) => {
            let detail = Escaped(&error.to_string()).to_string();
            Err(ClientError::Malformed { path: path.to_owned(), detail })
        }
    }
}

fn send(path: &Path, query: &ControlQuery) -> io::Result<UnixStream> {
    let mut stream = UnixStream::connect(path)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    match stream.write_all(write_query(query).as_bytes()) {
        // A daemon with too many clients sends an error and closes without reading.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(stream),
        sent => sent.map(|()| stream),
    }
}

/// `{"ok":[…]}`, whose rows are passed on, or `{"error":{…}}`, which is returned.
struct ResponseSeed<F, T>(F, PhantomData<T>);

impl<'de, T: DeserializeOwned, F: FnMut(T)> DeserializeSeed<'de> for ResponseSeed<F, T> {
    type Value = Option<QueryError>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, T: DeserializeOwned, F: FnMut(T)> Visitor<'de> for ResponseSeed<F, T> {
    type Value = Option<QueryError>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a response")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut error = None;
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "ok" => map.next_value_seed(RowsSeed(&mut self.0, PhantomData))?,
                "error" => error = Some(map.next_value()?),
                // Of a later version.
                _ => map.next_value::<IgnoredAny>().map(|_| ())?,
            }
        }
        Ok(error)
    }
}

struct RowsSeed<'a, F, T>(&'a mut F, PhantomData<T>);

impl<'de, T: DeserializeOwned, F: FnMut(T)> DeserializeSeed<'de> for RowsSeed<'_, F, T> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de, T: DeserializeOwned, F: FnMut(T)> Visitor<'de> for RowsSeed<'_, F, T> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of rows")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut rows: A) -> Result<(), A::Error> {
        while let Some(row) = rows.next_element()? {
            (self.0)(row);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use arpherd_core::view::{HostView, Query};

    use super::super::server::ServerLimits;
    use super::super::testing::{FixedHosts, host, serve};
    use super::*;
    use crate::exit::Exit;

    #[test]
    fn rows_come_one_by_one_in_their_order() {
        let mut server = serve(FixedHosts { hosts: 3000 }, ServerLimits::default());
        let mut found = Vec::new();
        fetch_rows(&server.path, Query::Hosts, |row: HostView| found.push(row)).expect("a response");
        assert_eq!(found, (0..3000).map(host).collect::<Vec<_>>());
        server.handle.stop_blocking();
        let error = fetch_rows(&server.path, Query::Hosts, |_: HostView| ()).expect_err("no daemon");
        assert_eq!(error.exit_code(), Exit::Unavailable);
    }

    #[test]
    fn what_is_no_list_of_such_rows_is_an_error() {
        for (text, rejected) in [
            (r#"{"error":{"code":"busy","message":"later"}}"#, true),
            (r#"{"ok":{}}"#, false),
            (r#"{"ok":[7]}"#, false),
            (r#"{"ok":["#, false),
            ("\u{1b}[2J", false),
        ] {
            let mut reader = serde_json::Deserializer::from_reader(text.as_bytes());
            let seed = ResponseSeed(|_: HostView| panic!("there is no row in {text}"), PhantomData);
            match seed.deserialize(&mut reader) {
                Ok(error) => assert_eq!(error.is_some_and(|error| error.code == "busy"), rejected, "{text}"),
                Err(_) => assert!(!rejected, "{text}"),
            }
        }
    }
}
