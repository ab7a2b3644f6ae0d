//! How the process ends: the codes of `sysexits.h` that arpherd uses, all in one place.
//!
//! Codes below 64 are no part of it: `doctor` ends with 1 or 2 for its worst finding, the demo with 1 if a step
//! failed and with 128 and the signal's number if it was interrupted.

use std::process::ExitCode;

/// Why a command did not do what it was asked to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    /// `EX_USAGE`: the command line is wrong.
    Usage = 64,
    /// `EX_DATAERR`: an input file's content is wrong.
    DataErr = 65,
    /// `EX_NOINPUT`: an input file cannot be read.
    NoInput = 66,
    /// `EX_UNAVAILABLE`: something needed is not there: a daemon, an interface, a network namespace.
    Unavailable = 69,
    /// `EX_SOFTWARE`: an internal error.
    Software = 70,
    /// `EX_OSERR`: a system call failed; a service manager may try again.
    OsErr = 71,
    /// `EX_CANTCREAT`: an output file or socket cannot be made.
    CantCreat = 73,
    /// `EX_IOERR`: output cannot be written.
    IoErr = 74,
    /// `EX_PROTOCOL`: the other side of the control socket does not speak its protocol.
    Protocol = 76,
    /// `EX_NOPERM`: rights are missing.
    NoPerm = 77,
    /// `EX_CONFIG`: the configuration is wrong.
    Config = 78,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

#[cfg(test)]
mod tests {
    use super::Exit;

    /// Scripts and service managers rely on the numbers.
    #[test]
    fn codes_are_those_of_sysexits() {
        let table = [
            (Exit::Usage, 64),
            (Exit::DataErr, 65),
            (Exit::NoInput, 66),
            (Exit::Unavailable, 69),
            (Exit::Software, 70),
            (Exit::OsErr, 71),
            (Exit::CantCreat, 73),
            (Exit::IoErr, 74),
            (Exit::Protocol, 76),
            (Exit::NoPerm, 77),
            (Exit::Config, 78),
        ];
        for (exit, code) in table {
            assert_eq!(exit as u8, code, "{exit:?}");
        }
    }
}
