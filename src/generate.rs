//! Man pages and shell completions, written from the definitions of the command line when a package is built, so that
//! they cannot differ from what the binary accepts.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use clap::{Command, CommandFactory};
use clap_complete::Shell;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

use crate::cli::{CommandLine, GenerateArgs, Generated};

/// The section of commands for administrators.
const SECTION: &str = "8";
const MANUAL: &str = "arpherd manual";

/// Writes what was asked for into the folder.
///
/// # Errors
/// If the folder or a file in it cannot be written.
pub(crate) fn generate(args: &GenerateArgs) -> io::Result<()> {
    fs::create_dir_all(&args.folder)?;
    match args.what {
        Generated::Man => man_pages(&args.folder),
        Generated::Completions => completions(&args.folder),
    }
}

fn completions(folder: &Path) -> io::Result<()> {
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
        clap_complete::generate_to(shell, &mut documented(), "arpherd", folder)?;
    }
    Ok(())
}

fn man_pages(folder: &Path) -> io::Result<()> {
    // `arpherd help` says what the pages say, and needs none of its own.
    let mut all = documented().disable_help_subcommand(true);
    all.build();
    write_page(&all, folder)?;
    all.get_subcommands().try_for_each(|command| write_page(command, folder))
}

/// The command line without hidden subcommands, which the shells would propose otherwise.
fn documented() -> Command {
    let all = CommandLine::command();
    let shown = all.get_subcommands().filter(|command| !command.is_hide_set()).cloned();
    Command::new("arpherd")
        .version(env!("CARGO_PKG_VERSION"))
        .about(all.get_about().cloned().unwrap_or_default())
        .long_about(all.get_long_about().cloned().unwrap_or_default())
        .after_help(all.get_after_help().cloned().unwrap_or_default())
        .subcommand_required(true)
        .subcommand_value_name("COMMAND")
        .subcommand_help_heading("COMMANDS")
        .subcommands(shown)
}

fn write_page(command: &Command, folder: &Path) -> io::Result<()> {
    let version = concat!("arpherd ", env!("CARGO_PKG_VERSION"));
    let page = Man::new(command.clone()).section(SECTION).source(version).manual(MANUAL);
    let mut text = Vec::new();
    page.render_title(&mut text)?;
    page.render_name_section(&mut text)?;
    page.render_synopsis_section(&mut text)?;
    page.render_description_section(&mut text)?;
    page.render_options_section(&mut text)?;
    let has_subcommands = command.has_subcommands();
    if has_subcommands {
        page.render_subcommands_section(&mut text)?;
    }
    if let Some(help) = command.get_after_help() {
        after_help(&help.to_string()).to_writer(&mut text)?;
    }
    if !has_subcommands {
        let mut see_also = Roff::new();
        see_also.control("SH", ["SEE ALSO"]);
        see_also.text([bold("arpherd"), roman(format!("({SECTION})"))]);
        see_also.to_writer(&mut text)?;
    }
    fs::File::create(folder.join(page.get_filename()))?.write_all(&text)
}

/// The end of a help text: examples keep their lines, what follows them is filled.
fn after_help(help: &str) -> Roff {
    let mut roff = Roff::new();
    let (mut section, mut is_verbatim) = ("", false);
    let mut open = |roff: &mut Roff, wanted| {
        if section != wanted {
            roff.control("SH", [wanted]);
            section = wanted;
        }
    };
    for line in help.lines() {
        let is_indented = line.starts_with(' ');
        if is_indented != is_verbatim {
            roff.control(if is_indented { "nf" } else { "fi" }, []);
            is_verbatim = is_indented;
        }
        match line.trim() {
            "" => _ = roff.control("PP", []),
            "Examples:" => open(&mut roff, "EXAMPLES"),
            text if is_indented => _ = roff.text([roman(text)]),
            text => {
                open(&mut roff, "NOTES");
                roff.text([roman(text)]);
            }
        }
    }
    if is_verbatim {
        roff.control("fi", []);
    }
    roff
}

#[cfg(test)]
mod tests;
