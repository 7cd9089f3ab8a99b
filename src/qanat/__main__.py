"""``python -m qanat`` is the command ``qanat``."""

from qanat.console.entrance import main

if __name__ == "__main__":
    main()
