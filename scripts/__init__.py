"""What the Makefile runs: the demo job and a local Airflow. No part of the installed package."""
