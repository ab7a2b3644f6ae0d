use super::*;

fn files(what: Generated) -> Vec<(String, String)> {
    let folder = tempfile::tempdir().expect("a folder for the files");
    let args = GenerateArgs { what, folder: folder.path().join("new") };
    generate(&args).expect("the files are written");
    let entries = fs::read_dir(&args.folder).expect("the folder was made");
    let mut files: Vec<_> = entries
        .map(|entry| entry.expect("it can be listed"))
        .map(|entry| (entry.file_name().into_string().expect("a plain name"), entry.path()))
        .map(|(name, path)| (name, fs::read_to_string(path).expect("the text of a file")))
        .collect();
    files.sort();
    files
}

#[test]
fn every_command_that_the_help_lists_has_a_man_page() {
    let listed = CommandLine::command();
    let listed = listed.get_subcommands().filter(|command| !command.is_hide_set());
    let mut wanted: Vec<_> = listed.map(|command| format!("arpherd-{}.8", command.get_name())).collect();
    wanted.push("arpherd.8".to_owned());
    wanted.sort();
    let pages = files(Generated::Man);
    assert_eq!(pages.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), wanted);
    for (name, text) in pages {
        for section in [".TH arpherd", ".SH NAME", ".SH SYNOPSIS", ".SH DESCRIPTION"] {
            assert!(text.contains(section), "{name} has no {section}: {text}");
        }
        assert!(!text.contains("generate"), "{name} names the hidden command");
    }
}

#[test]
fn completions_know_the_commands_of_the_help_and_no_hidden_one() {
    let scripts = files(Generated::Completions);
    let names: Vec<_> = scripts.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["_arpherd", "arpherd.bash", "arpherd.fish"]);
    for (name, text) in scripts {
        assert!(text.contains("explain") && text.contains("dry-run"), "{name}: {text}");
        assert!(!text.contains("generate"), "{name} proposes the hidden command");
    }
}

#[test]
fn examples_keep_their_lines_and_notes_are_filled() {
    let roff = after_help("Examples:\n  arpherd a   one\n  arpherd b\n\nExit status: 0\nor 1").render();
    let from = roff.find(".SH").expect("a section");
    let wanted = ".SH EXAMPLES\n.nf\narpherd a   one\narpherd b\n.fi\n.PP\n.SH NOTES\nExit status: 0\nor 1\n";
    assert_eq!(&roff[from..], wanted);
}
