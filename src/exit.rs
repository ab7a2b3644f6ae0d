//! The exit codes of `sysexits.h` that arpherd uses.
//!
//! Codes below 64 are not among them: `doctor` ends with 1 or 2 for its worst finding, the demo with 1 if a step
//! failed and with 128 and the signal's number if it was interrupted.

use std::process::ExitCode;

/// Why a command failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    /// `EX_USAGE`: the command line is invalid.
    Usage = 64,
    /// `EX_DATAERR`: an input file's content is invalid.
    DataErr = 65,
    /// `EX_NOINPUT`: an input file cannot be read.
    NoInput = 66,
    /// `EX_UNAVAILABLE`: something required does not exist: a daemon, an interface, a network namespace.
    Unavailable = 69,
    /// `EX_SOFTWARE`: an internal error.
    Software = 70,
    /// `EX_OSERR`: a system call failed; a service manager may try again.
    OsErr = 71,
    /// `EX_CANTCREAT`: an output file or socket cannot be created.
    CantCreat = 73,
    /// `EX_IOERR`: output cannot be written.
    IoErr = 74,
    /// `EX_PROTOCOL`: the response on the control socket is malformed.
    Protocol = 76,
    /// `EX_NOPERM`: a permission is missing.
    NoPerm = 77,
    /// `EX_CONFIG`: the configuration is invalid.
    Config = 78,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

impl Exit {
    /// For a thread that is not `main`.
    pub(crate) fn code(self) -> i32 {
        i32::from(self as u8)
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
