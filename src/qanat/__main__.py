"""``python -m qanat`` is the command ``qanat``."""

from qanat.console.main import main

if __name__ == "__main__":
    main(prog_name="qanat")
