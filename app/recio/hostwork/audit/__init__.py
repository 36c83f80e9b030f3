"""The audit of privileged files: sums, rights and owners of what root trusts, recorded by a deploy, compared every night.

``places`` says what is watched, ``scan`` and ``packages`` read the host, ``compare`` judges (pure), ``record`` keeps. Read by root's
commands only: no service imports this package.
"""
