"""The commands of `lepton-server`, one file for each subject; `add` puts them into the program's parser."""
