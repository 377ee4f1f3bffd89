"""A page of pictures on the result views, for those who would rather look than read."""
