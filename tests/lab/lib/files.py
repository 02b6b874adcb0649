# SPDX-License-Identifier: Apache-2.0
"""The kernel's small files, of /proc, /sys and debugfs."""


def read(path):
    with open(path, encoding="ascii") as file:
        return file.read()


def write(path, value):
    with open(path, "w", encoding="ascii") as file:
        file.write(f"{value}\n")
