//! The settings: documented where people look, and refused where they make no sense.

use clap::{Args, Command};
use lead_pipeline::config::Config;

fn flags() -> Command {
    Config::augment_args(Command::new("serve"))
}

#[test]
fn every_setting_is_documented_with_its_default() {
    let document = include_str!("../docs/operations.md");
    for argument in flags().get_arguments() {
        let Some(flag) = argument.get_long().filter(|flag| *flag != "help") else { continue };
        let row = document.lines().find(|line| line.starts_with(&format!("| `--{flag}` |")));
        let row = row.unwrap_or_else(|| panic!("--{flag} is missing in docs/operations.md"));
        for default in argument.get_default_values() {
            let default = default.to_string_lossy();
            assert!(row.contains(&format!("`{default}`")), "--{flag}: the default is {default}, but: {row}");
        }
        if let Some(variable) = argument.get_env() {
            assert!(row.contains(&*variable.to_string_lossy()), "--{flag}: {variable:?} is missing: {row}");
        }
        assert!(argument.get_help().is_some(), "--{flag} has no help");
    }
}

#[test]
fn settings_out_of_their_limits_are_refused() {
    for wrong in [
        ["--partitions", "0"],
        ["--partitions", "257"],
        ["--write-queue", "0"],
        ["--page-max", "0"],
        ["--checkpoint-interval", "0s"],
        ["--write-patience", "soon"],
        ["--lead-cache", "0"],
        ["--listen", "nowhere"],
    ] {
        let error = flags().try_get_matches_from(["serve", wrong[0], wrong[1]]).expect_err(wrong[0]);
        assert!(error.to_string().contains(wrong[0]), "{error}");
    }
}
