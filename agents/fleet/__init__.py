"""What is known of a fleet: the last report on each subject, and the depth of its queues."""
