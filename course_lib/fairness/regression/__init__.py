"""Fair regression of lesson 06: whose age is estimated how well, and who pays for making it fairer."""
