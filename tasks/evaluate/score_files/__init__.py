"""Score predictions that lie in files, whoever made them, against labels in files."""
