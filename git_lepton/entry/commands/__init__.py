"""The commands of `git lepton`, a module for each: main(arguments) -> exit code, loaded when the command is run."""
