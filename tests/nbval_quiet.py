"""A plugin for nbval: progress bars and messages on stderr are no results, so they are not compared."""

import nbval.plugin

_start = nbval.plugin.IPyNbFile.__init__


def _without_stderr(self, *arguments, **options):
    _start(self, *arguments, **options)
    self.skip_compare = (*self.skip_compare, "stderr")


nbval.plugin.IPyNbFile.__init__ = _without_stderr
