"""Problems with known answers, and honest comparison of strategies."""
