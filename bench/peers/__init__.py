"""The systems that Tandem is measured beside, each with its pinned packages and the least code it needs."""
