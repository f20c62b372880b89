"""What a Markdown file says of an agent: read, checked key by key, and told in sentences where it is wrong."""
