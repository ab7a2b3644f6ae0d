//! Rules on `daemon.http`: a socket of its own, and who can reach it.

use crate::config::http::HttpListen;
use crate::config::model::DaemonConfig;
use crate::config::path::KeyPath;
use crate::config::reader::ConfigReader;

/// The two sockets are different ones, and an address that others may reach is warned about.
pub(super) fn check(reader: &mut ConfigReader<'_>, daemon: &DaemonConfig) {
    let path = KeyPath::root().key("daemon").key("http");
    match &daemon.http {
        HttpListen::Unix(socket) if *socket == daemon.control => {
            let text = format!("found {}, expected another path than that of daemon.control", daemon.http);
            reader.problem(&path, text);
        }
        HttpListen::Tcp(address) if !address.ip().is_loopback() => {
            let text = format!(
                "{address} can be reached by others, and what is served there is not encrypted and asks for no \
                 password; filter it, or listen on 127.0.0.1"
            );
            reader.warning(&path, text);
        }
        HttpListen::Unix(_) | HttpListen::Tcp(_) | HttpListen::Off => {}
    }
}

#[cfg(test)]
mod tests {
    use crate::config::http::tests::load;

    #[test]
    fn it_is_not_the_control_socket() {
        let error = load("/run/a.sock").expect_err("the control socket");
        assert!(error.contains("expected another path than that of daemon.control"), "{error}");
    }

    #[test]
    fn who_lets_others_read_it_is_warned() {
        for value in ["0.0.0.0:9477", "10.2.0.1:9477", "\"[::]:9477\""] {
            let (_, warnings) = load(value).expect("valid");
            let [warning] = warnings.as_slice() else { panic!("{warnings:?}") };
            assert!(
                warning.contains("daemon.http") && warning.contains("can be reached by others"),
                "{warning}"
            );
        }
    }
}
